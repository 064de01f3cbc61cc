#include <algorithm>

#include "lookback/viz/color.h"
#include "lookback/viz/html_page.h"
#include "lookback/viz/marks.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

std::string variables(const Palette& p) {
  const auto one = [](const char* name, Rgb c) { return std::string("--") + name + ":" + hex(c) + ";"; };
  return one("background", p.background) + one("full", p.full) + one("text", p.text) + one("muted", p.muted) +
         one("faint", p.faint) + "--full-rgb:" + str_cat(int{p.full.r}, " ", int{p.full.g}, " ", int{p.full.b}) + ";";
}

// The weight from which on text on a cell has to be of the background's colour.
double turning_point(const Palette& p) {
  double w = 0;
  while (w < 1 && readable_on(p, shade(p, w)) == p.text) w += 0.01;
  return w;
}

std::string marked(const TokenText& t) {
  const auto faint = [](const std::string& mark) { return mark.empty() ? "" : "<i>" + escape_markup(mark) + "</i>"; };
  return faint(t.prefix) + escape_markup(t.body) + faint(t.suffix);
}

// Chinese, Japanese and Korean stand upright in a column heading.
bool upright(const TokenText& t) { return display_width(t.body) > static_cast<int64_t>(graphemes(t.body).size()); }

class Page {
 public:
  explicit Page(const HtmlOptions& options) : options_(options) {}

  std::string run(std::span<const AttentionMap> maps) {
    const std::string title = escape_markup(one_line(options_.title));
    out_ = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" + std::string(kHtmlMark) +
           "\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta name=\"color-scheme\" content=\"light dark\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
           "script-src 'unsafe-inline'\">\n<title>" +
           title + "</title>\n<style>\n:root{" + variables(palette(Theme::light)) +
           "}\n@media (prefers-color-scheme:dark){:root{" + variables(palette(Theme::dark)) + "}}\n" + kStyle +
           "</style>\n</head>\n<body>\n<h1>" + title + "</h1>\n";
    out_ += kHint;
    for (size_t k = 0; k < maps.size(); ++k) map(maps[k], k);
    if (maps.empty()) out_ += "<p class=\"empty\">No attention maps.</p>\n";
    out_ += std::string("<div id=\"tip\" role=\"status\" aria-live=\"polite\"></div>\n<script>\n") + kScript +
            "</script>\n</body>\n</html>\n";
    return std::move(out_);
  }

 private:
  void map(const AttentionMap& m, size_t k) {
    check_map(m);
    const std::string title = escape_markup(one_line(m.title.empty() ? str_cat("Map ", k + 1) : m.title));
    out_ +=
        str_cat("<section class=\"map\" aria-labelledby=\"title", k, "\">\n<h2 id=\"title", k, "\">", title, "</h2>\n");
    if (m.source.empty() || m.target.empty()) {
      out_ += str_cat("<p class=\"empty\">Nothing to draw: ", m.source.size(), " source and ", m.target.size(),
                      " target tokens.</p>\n</section>\n");
      return;
    }
    out_ += "<div class=\"sentences\">\n";
    sentence(m.source, "source");
    sentence(m.target, "target");
    out_ += "</div>\n<div class=\"note\"></div>\n";
    table(m, title);
    out_ += "</section>\n";
  }

  void sentence(const std::vector<std::string>& tokens, const char* side) {
    const std::vector<bool> starts = word_starts(tokens);
    out_ += str_cat("<div class=\"side\"><span class=\"name\">", side, "</span><p class=\"", side, "\" dir=\"auto\">");
    for (size_t k = 0; k < tokens.size(); ++k) {
      out_ += str_cat(k > 0 && starts[k] ? " " : "", "<span class=\"token", k > 0 && !starts[k] ? " piece" : "",
                      "\" data-k=\"", k, "\" tabindex=\"", k == 0 ? 0 : -1, "\" role=\"button\">",
                      marked(visible(tokens[k])), "</span>");
    }
    out_ += "</p></div>\n";
  }

  void table(const AttentionMap& m, const std::string& title) {
    const auto T = static_cast<int64_t>(m.source.size()), U = static_cast<int64_t>(m.target.size());
    const double top = scale_top(m, options_.scale);
    const bool digits = T <= 24 && U <= 40;
    out_ +=
        str_cat("<div class=\"scroll\"><table role=\"grid\" class=\"", digits ? "roomy" : "tight", "\" aria-label=\"",
                title, ": rows are target tokens, columns source tokens\">\n<thead><tr><td></td>");
    for (const std::string& token : m.source) {
      const TokenText t = visible(token);
      out_ += str_cat("<th scope=\"col\"><span", upright(t) ? " class=\"upright\"" : "", ">", marked(shorten(t, 26)),
                      "</span></th>");
    }
    if (!m.target_scores.empty()) out_ += "<th scope=\"col\" class=\"score\">log p</th>";
    out_ += "</tr></thead>\n<tbody>\n";
    for (int64_t u = 0; u < U; ++u) row(m, u, top, digits);
    out_ += str_cat("</tbody></table></div>\n<p class=\"legend\"><span>0</span><span class=\"bar\"></span><span>",
                    top == 1 ? "1" : fixed(top, top < 0.1 ? 3 : 2), "</span> weight</p>\n");
  }

  void row(const AttentionMap& m, int64_t u, double top, bool digits) {
    const auto T = static_cast<int64_t>(m.source.size());
    const float* w = m.weights.data<float>() + u * T;
    const bool nothing = std::all_of(w, w + T, [](float x) { return x == 0; });
    out_ += str_cat("<tr", nothing ? " class=\"nothing\"" : "", "><th scope=\"row\" dir=\"auto\">",
                    marked(shorten(visible(m.target[static_cast<size_t>(u)]), 26)), "</th>");
    for (int64_t t = 0; t < T; ++t) cell(w[t], place(w[t], top), digits);
    if (!m.target_scores.empty())
      out_ += "<td class=\"score\">" + fixed(m.target_scores[static_cast<size_t>(u)], 2) + "</td>";
    out_ += "</tr>\n";
  }

  void cell(float weight, double place, bool digits) {
    std::string shown = digits && weight >= 0.005f ? fixed(weight, 2) : "";
    if (shown.starts_with('0')) shown.erase(0, 1);
    const char* sides = place >= dark_turns_ ? (place >= light_turns_ ? " class=\"l d\"" : " class=\"d\"")
                                             : (place >= light_turns_ ? " class=\"l\"" : "");
    out_ += str_cat("<td", sides, " style=\"--w:", fixed(place, 3), "\" data-w=\"", fixed(weight, 4), "\">", shown,
                    "</td>");
  }

  const HtmlOptions& options_;
  const double light_turns_ = turning_point(palette(Theme::light)), dark_turns_ = turning_point(palette(Theme::dark));
  std::string out_;
};

}  // namespace

std::string to_html(std::span<const AttentionMap> maps, const HtmlOptions& options) { return Page(options).run(maps); }

std::string to_html(const AttentionMap& map, const HtmlOptions& options) {
  return to_html(std::span(&map, 1), options);
}

}  // namespace lookback::viz
