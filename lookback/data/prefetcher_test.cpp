#include "lookback/data/prefetcher.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/data/table.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

class PrefetcherTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    std::string lines;
    for (const auto& l : sentences()) lines += l + "\n";
    tokenizer_ = train_tokenizer({.size = 200, .sampling = 0.3}, from(sentences()));
    const std::string text = file("text", lines);
    table_.emplace(RowSource{{{text, text}}},
                   std::vector<Column>{{"source", tokenizer_.get()}, {"target", tokenizer_.get()}}, TableOptions{});
  }
  Batcher batcher() const {
    const auto lengths = table_->lengths(0);
    return Batcher(lengths, {lengths}, options_, 5);
  }
  Prefetcher<Batch> prefetcher() const {
    return {batcher(), [&](std::vector<int64_t> index, int64_t epoch) { return table_->batch(index, 5, epoch); }};
  }
  void expect_made(const Cursor& at, const Batch& got) const {
    Cursor cursor = at;
    const Batch wanted = table_->batch(batcher().next(cursor), 5, at.epoch);
    EXPECT_EQ(got.index, wanted.index);
    EXPECT_EQ(got.columns, wanted.columns);
  }

  const BatchOptions options_{.batch = 7, .window = 2};
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<Table> table_;
};

TEST_F(PrefetcherTest, GivesWhatTheTableGives) {
  auto p = prefetcher();
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    ASSERT_GE(p.batches_in(epoch), 4);
    for (int64_t k = 0; k < p.batches_in(epoch); ++k) expect_made({epoch, k}, p.take({epoch, k}));
  }
}

TEST_F(PrefetcherTest, LooksAtSeveralBeforeItTakesThem) {
  auto p = prefetcher();
  for (const int64_t first : {0, 2}) {
    for (int64_t k = first; k < first + 2; ++k) expect_made({0, k}, p.peek({0, k}));
    for (int64_t k = first; k < first + 2; ++k) expect_made({0, k}, p.take({0, k}));
  }
}

// A rollback goes back, a resumed run begins anywhere.
TEST_F(PrefetcherTest, GoesWhereItIsTold) {
  auto p = prefetcher();
  for (const Cursor at : {Cursor{1, 2}, {0, 3}, {0, 3}, {0, 0}, {0, 1}, {2, 0}, {0, 2}}) expect_made(at, p.take(at));
}

}  // namespace
}  // namespace lookback::data
