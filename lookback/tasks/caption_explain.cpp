// Where on a picture a caption looked.
#include <algorithm>

#include "lookback/picture/image_file.h"
#include "lookback/picture/resize.h"
#include "lookback/tasks/caption.h"
#include "lookback/tasks/input.h"

namespace lookback::tasks {
namespace {

// f32 [H, W, 3], of at most so many pixels a side as a page can show.
Tensor pixels_of(const std::string& path) {
  constexpr int64_t kMost = 800;
  picture::Image image = picture::read_image(path, {.shortest_side = kMost});
  if (const int64_t longest = std::max(image.height, image.width); longest > kMost)
    image = picture::resized(image, std::max<int64_t>(1, image.height * kMost / longest),
                             std::max<int64_t>(1, image.width * kMost / longest));
  Tensor out({image.height, image.width, 3});
  std::ranges::copy(image.rgb, out.data<float>());
  return out;
}

// What each step looked at elsewhere than at the picture; nothing where weights sum to 1.
std::vector<double> elsewhere(const Tensor& weights) {
  std::vector<double> out;
  for (int64_t u = 0; u < weights.dim(0); ++u) {
    double sum = 0;
    for (int64_t t = 0; t < weights.dim(1); ++t)
      sum += static_cast<double>(weights.data<float>()[u * weights.dim(1) + t]);
    out.push_back(std::clamp(1 - sum, 0.0, 1.0));
  }
  return out;
}

}  // namespace

viz::Figure Caption::explain(Networks networks, const Input& input, const Options& options) {
  const Network& network = *networks[0];
  const std::string path = required_text(input, "image");
  const Tensor all = network.seeing.features(path);
  check<ConfigError>(network.model->shortening() == 1, "explain: the encoder of this model shortens the grid, so that ",
                     "weights lie on no place of a picture");
  const CaptionJob job{all.reshape({all.dim(1), all.dim(2)}),
                       network.tokenizer->encode(optional_text(input, "prefix"))};
  const decode::Hypothesis h = search_captions(networks, {&job, 1}, options)[0][0];
  viz::PictureMaps out{.tokens = network.tokenizer->pieces(h.tokens), .weights = h.alignment};
  if (h.alignment.dim(0) == std::ssize(h.tokens) + 1) out.tokens.push_back("</s>");
  out.title = network.tokenizer->decode(h.tokens);
  out.row_scores = h.token_log_probs;
  if (network.config.model.decoder.gate == "sentinel") out.elsewhere = elsewhere(h.alignment);
  const bool fits = job.rows.dim(0) == network.seeing.shape.places();
  out.grid_height = fits ? network.seeing.shape.grid_height : 1;
  out.grid_width = fits ? network.seeing.shape.grid_width : job.rows.dim(0);
  if (names_features(path)) {
    // There is no picture: a grey one of the grid's form.
    out.picture = Tensor::full({16 * out.grid_height, 16 * out.grid_width, 3}, 160);
  } else {
    out.picture = pixels_of(path);
  }
  return out;
}

}  // namespace lookback::tasks
