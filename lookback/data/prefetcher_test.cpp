#include "lookback/data/prefetcher.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

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
    corpus_.emplace(std::vector<std::string>{text, text}, *tokenizer_, *tokenizer_, CorpusOptions{});
  }
  void expect_made(const Cursor& at, const Batch& got) const {
    Cursor cursor = at;
    Batcher batcher(corpus_->source_lengths(), corpus_->target_lengths(), options_, 5);
    const Batch wanted = corpus_->batch(batcher.next(cursor), 5, at.epoch);
    EXPECT_EQ(got.index, wanted.index);
    EXPECT_EQ(got.source, wanted.source);
    EXPECT_EQ(got.target, wanted.target);
    EXPECT_EQ(got.source_tokens, wanted.source_tokens);
    EXPECT_EQ(got.target_tokens, wanted.target_tokens);
  }

  const BatchOptions options_{.batch = 7, .window = 2};
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<Corpus> corpus_;
};

TEST_F(PrefetcherTest, GivesWhatTheCorpusGives) {
  Prefetcher p(*corpus_, options_, 5);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    ASSERT_GE(p.batches_in(epoch), 4);
    for (int64_t k = 0; k < p.batches_in(epoch); ++k) expect_made({epoch, k}, p.take({epoch, k}));
  }
}

TEST_F(PrefetcherTest, LooksAtSeveralBeforeItTakesThem) {
  Prefetcher p(*corpus_, options_, 5);
  for (const int64_t first : {0, 2}) {
    for (int64_t k = first; k < first + 2; ++k) expect_made({0, k}, p.peek({0, k}));
    for (int64_t k = first; k < first + 2; ++k) expect_made({0, k}, p.take({0, k}));
  }
}

// A rollback goes back, a resumed run begins anywhere.
TEST_F(PrefetcherTest, GoesWhereItIsTold) {
  Prefetcher p(*corpus_, options_, 5);
  for (const Cursor at : {Cursor{1, 2}, {0, 3}, {0, 3}, {0, 0}, {0, 1}, {2, 0}, {0, 2}}) expect_made(at, p.take(at));
}

}  // namespace
}  // namespace lookback::data
