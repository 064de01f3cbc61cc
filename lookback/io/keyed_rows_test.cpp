#include "lookback/io/keyed_rows.h"

#include <gtest/gtest.h>

#include "lookback/io/temp_folder.h"

namespace lookback::io {
namespace {

TEST(KeyedRows, AreThereWholeOrNotAtAll) {
  TempFolder folder;
  const std::string path = folder.path() + "/rows", a(64, 'a'), b(64, 'b');
  EXPECT_TRUE(open_keyed_rows(path).empty());
  KeyedRowsWriter writer(path);
  writer.add(a, Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  writer.add(b, Tensor::zeros({0, 3}));
  EXPECT_TRUE(open_keyed_rows(path).empty());  // until it is committed
  writer.commit(3);
  for (const int64_t columns : {0, 3}) {
    const KeyedRows found = open_keyed_rows(path, columns);
    ASSERT_EQ(found.size(), 2);
    EXPECT_EQ(found.at(a).shape(), (Shape{2, 3}));
    EXPECT_EQ(found.at(a).data<float>()[5], 6);
    EXPECT_EQ(found.at(b).dim(0), 0);
  }
  EXPECT_TRUE(open_keyed_rows(path, 4).empty());
  const std::string good = read_file(path, 1'000'000);
  for (size_t k = 0; k < good.size(); ++k) {
    std::string bad = good;
    bad[k] = static_cast<char>(bad[k] ^ 1);
    EXPECT_TRUE(open_keyed_rows(folder.file("bad", bad)).empty()) << k;
    EXPECT_TRUE(open_keyed_rows(folder.file("short", good.substr(0, k))).empty()) << k;
  }
}

}  // namespace
}  // namespace lookback::io
