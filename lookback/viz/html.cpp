#include <algorithm>

#include "lookback/base/format_number.h"
#include "lookback/viz/data_uri.h"
#include "lookback/viz/html_page.h"
#include "lookback/viz/marks.h"
#include "lookback/viz/picture_maps.h"
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

  std::string run(std::span<const Figure> figures) {
    for (size_t k = 0; k < figures.size(); ++k) {
      check_figure(figures[k]);
      std::visit([&](const auto& figure) { section(figure, k); }, figures[k]);
    }
    if (figures.empty()) out_ += "<p class=\"empty\">No attention maps.</p>\n";
    const std::string title = escape_markup(one_line(options_.title));
    std::string page =
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" + std::string(kHtmlMark) +
        "\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'" +
        (gaze_styles_.empty() ? "" : "; img-src data:") + "\">\n<title>" + title + "</title>\n<style>\n:root{" +
        variables(palette(Theme::light)) + "}\n@media (prefers-color-scheme:dark){:root{" +
        variables(palette(Theme::dark)) + "}}\n" + kStyle;
    if (has_totals_) page += kTotalsStyle;
    if (has_highlights_) page += kHighlightStyle;
    if (has_parts_) page += kPartsStyle;
    if (has_marks_) page += kMarksStyle;
    if (has_tables_) page += kTableStyle;
    if (!chart_styles_.empty()) page += kChartStyle + chart_styles_;
    if (!gaze_styles_.empty()) page += kGazeStyle + gaze_styles_;
    page += "</style>\n</head>\n<body>\n<h1>" + title + "</h1>\n" + kHint + out_ +
            "<div id=\"tip\" role=\"status\" aria-live=\"polite\"></div>\n<script>\n" + kScript;
    if (has_highlights_)
      page += std::string(kHighlightScript) + (has_parts_ ? kTokensOfParts : kTokensOfWords) + kHighlightRest;
    if (has_parts_) page += kPartsScript;
    if (has_tables_) page += kTableScript;
    if (!chart_styles_.empty()) page += kChartScript;
    if (!gaze_styles_.empty()) page += kGazeScript;
    return page + "</script>\n</body>\n</html>\n";
  }

 private:
  void begin_section(const char* kind, const std::string& title, size_t k) {
    out_ += str_cat("<section class=\"", kind, "\" aria-labelledby=\"title", k, "\">\n<h2 id=\"title", k, "\">", title,
                    "</h2>\n");
  }

  void section(const HeatMap& m, size_t k) {
    if (m.columns.seconds > 0) return drawn(m, one_line(m.title.empty() ? str_cat("Map ", k + 1) : m.title), k);
    const std::string title = escape_markup(one_line(m.title.empty() ? str_cat("Map ", k + 1) : m.title));
    const bool is_table = !m.cells.empty();
    has_tables_ |= is_table;
    has_marks_ |= !m.rows.mark.empty();
    begin_section(is_table ? "table" : "map", title, k);
    if (m.columns.tokens.empty() || m.token_rows() == 0) {
      out_ += str_cat("<p class=\"empty\">Nothing to draw: ", m.columns.tokens.size(), " ", name(m.columns), " and ",
                      m.token_rows(), " ", name(m.rows), " tokens.</p>\n</section>\n");
      return;
    }
    if (!is_table) sentences(m);
    table(m, title);
    out_ += "</section>\n";
  }

  void section(const Chart& c, size_t k) {
    drawn(c, one_line(c.title.empty() ? str_cat("Chart ", k + 1) : c.title), k);
  }

  // As the SVG draws it, in both themes.
  template <class F>
  void drawn(F untitled, const std::string& title, size_t k) {
    begin_section("chart", escape_markup(title), k);
    untitled.title.clear();  // the section has it
    const auto picture = [&](Theme theme) { return draw(untitled, {.theme = theme, .scale = options_.scale}); };
    const PageSvg svg = svg_for_page(picture(Theme::light), picture(Theme::dark), str_cat("chart", k), title);
    out_ += "<div class=\"scroll\">\n" + svg.element + "</div>\n</section>\n";
    chart_styles_ += svg.style;
  }

  void sentences(const HeatMap& m) {
    out_ += "<div class=\"sentences\">\n";
    const std::span<const std::string> rows(m.rows.tokens);
    const int64_t room = std::max(display_width(one_line(m.columns.name)), display_width(one_line(m.rows.name)));
    sentence(m.columns.name, m.columns.tokens, {}, "source", room);
    sentence(m.rows.name, {rows.begin(), rows.begin() + m.token_rows()}, m.rows.mark, "target", room);
    out_ += "</div>\n<div class=\"note\"></div>\n";
  }

  static std::string name(const Axis& axis) { return escape_markup(one_line(axis.name)); }

  // `side` is what the script knows columns and rows by; `room` the columns of the longer name.
  void sentence(const std::string& name, const std::vector<std::string>& tokens, const Axis::Mark& mark,
                const char* side, int64_t room) {
    constexpr int64_t kUsual = 6, kMost = 20;
    const std::string wider =
        room > kUsual
            ? str_cat(" style=\"flex-basis:", fixed(0.55 * static_cast<double>(std::min(room, kMost)), 2), "rem\"")
            : "";
    out_ += str_cat("<div class=\"side\"><span class=\"name\"", wider, ">",
                    escape_markup(shorten(one_line(name), kMost)), "</span><p class=\"", side, "\" dir=\"auto\">");
    const std::vector<bool> starts = word_starts(tokens);
    for (size_t k = 0; k < tokens.size(); ++k) token(tokens[k], k, starts[k], marked_class(mark, k), "");
    out_ += "</p></div>\n";
  }

  static const char* marked_class(const Axis::Mark& mark, size_t k) {
    return mark.has(static_cast<int64_t>(k)) ? " marked" : "";
  }

  void token(const std::string& bytes, size_t k, bool starts, const std::string& classes,
             const std::string& attributes) {
    out_ += str_cat(k > 0 && starts ? " " : "", "<span class=\"token", k > 0 && !starts ? " piece" : "", classes,
                    "\" data-k=\"", k, "\" tabindex=\"", k == 0 ? 0 : -1, "\" role=\"button\"", attributes, ">",
                    marked(visible(bytes)), "</span>");
  }

  void table(const HeatMap& m, const std::string& title) {
    const int64_t T = std::ssize(m.columns.tokens), U = m.token_rows();
    const double top = scale_top(m, options_.scale);
    const bool digits = T <= 24 && U <= 40, is_table = !m.cells.empty();
    const char* const tokens = is_table ? "" : " tokens";
    out_ += str_cat("<div class=\"scroll\"><table role=\"grid\" class=\"", digits ? "roomy" : "tight",
                    is_table && flat(m) ? " flat" : "", "\" aria-label=\"", title, ": rows are ", name(m.rows), tokens,
                    ", columns ", name(m.columns), tokens, "\">\n<thead>");
    if (is_table)
      out_ += str_cat("<tr><td></td>", axis(m.columns, "across", "\u2192", T), "</tr>\n<tr>",
                      axis(m.rows, "down", "\u2193", 1));
    else
      out_ += "<tr><td></td>";
    for (const std::string& token : m.columns.tokens) {
      const TokenText t = visible(token);
      out_ += str_cat("<th scope=\"col\"><span", upright(t) ? " class=\"upright\"" : "", ">", marked(shorten(t, 26)),
                      "</span></th>");
    }
    if (!m.row_scores.empty()) out_ += "<th scope=\"col\" class=\"score\">log p</th>";
    out_ += "</tr></thead>\n<tbody>\n";
    for (int64_t u = 0; u < U; ++u) row(m, u, top, digits);
    out_ += "</tbody>";
    if (m.totals) {
      has_totals_ = true;
      out_ += "\n<tfoot>\n";
      row(m, U, 1, digits);
      out_ += "</tfoot>";
    }
    out_ += "</table></div>\n";
    legend(top, m.weight_name, m.totals ? str_cat("<span class=\"means\">", kTotalsMean, "</span>") : "");
  }

  // Whether the labels of columns need not be turned.
  static bool flat(const HeatMap& m) {
    constexpr size_t kFew = 12;
    return m.columns.tokens.size() <= kFew && std::ranges::all_of(m.columns.tokens, [](const std::string& token) {
             return display_width(visible(token).whole()) <= int64_t{kFew};
           });
  }

  static std::string axis(const Axis& axis, const char* side, const char* arrow, int64_t columns) {
    return str_cat("<td class=\"axis ", side, "\" data-name=\"", name(axis), "\" colspan=\"", columns, "\">",
                   escape_markup(shorten(one_line(axis.name), 26)), " ", arrow, "</td>");
  }

  void legend(double top, const std::string& of, const std::string& more) {
    out_ += str_cat("<p class=\"legend\"><span>0</span><span class=\"bar\"></span><span>", scale_end(top), "</span> ",
                    escape_markup(one_line(of)), more, "</p>\n");
  }

  void row(const HeatMap& m, int64_t u, double top, bool digits) {
    const int64_t T = std::ssize(m.columns.tokens);
    const bool totals = u == m.token_rows();
    const float* w = m.weights.data<float>() + u * T;
    const bool text = !totals && !m.cells.empty();
    const bool nothing = !totals && !text && std::all_of(w, w + T, [](float x) { return x == 0; });
    out_ += str_cat("<tr", nothing ? " class=\"nothing\"" : "", "><th scope=\"row\"",
                    m.rows.mark.has(u) ? " class=\"marked\"" : "", " dir=\"auto\">",
                    marked(shorten(visible(m.rows.tokens[static_cast<size_t>(u)]), 26)), "</th>");
    for (int64_t t = 0; t < T; ++t) {
      const std::string tip = totals ? " title=\"" +
                                           escape_markup(visible(m.columns.tokens[static_cast<size_t>(t)]).whole()) +
                                           ": " + fixed(w[t], 4) + "\""
                                     : "";
      if (text)
        written(m.cells[static_cast<size_t>(u * T + t)], w[t], place(w[t], top),
                std::max(T, m.token_rows()) <= kMostTextRows);
      else
        cell(w[t], place(w[t], top), digits, tip);
    }
    if (!m.row_scores.empty())
      out_ += "<td class=\"score\">" + fixed(m.row_scores[static_cast<size_t>(u)], 2) + "</td>";
    out_ += "</tr>\n";
  }

  // Where text has to be of the background's colour: in the light theme, in the dark one.
  std::string sides(double place) const {
    const std::string light = place >= light_turns_ ? "l" : "", dark = place >= dark_turns_ ? "d" : "";
    return light + (light.empty() || dark.empty() ? "" : " ") + dark;
  }

  void cell(float weight, double place, bool digits, const std::string& tip) {
    std::string shown = digits && weight >= 0.005f ? fixed(weight, 2) : "";
    if (shown.starts_with('0')) shown.erase(0, 1);
    const std::string classes = sides(place);
    out_ += str_cat("<td", classes.empty() ? "" : " class=\"" + classes + "\"", " style=\"--w:", fixed(place, 3),
                    "\" data-w=\"", fixed(weight, 4), "\"", tip, ">", shown, "</td>");
  }

  void written(const std::string& text, float weight, double place, bool shown) {
    const std::string whole = text.empty() ? "" : one_line(text), cut = shown ? shorten(whole, 26) : "";
    const std::string classes = place == 0 ? "zero" : sides(place);
    out_ +=
        str_cat("<td", classes.empty() ? "" : " class=\"" + classes + "\"", " style=\"--w:", fixed(place, 3),
                "\" data-w=\"", fixed(weight, 4), "\"",
                cut == whole ? "" : " data-text=\"" + escape_markup(whole) + "\"", ">", escape_markup(cut), "</td>");
  }

  void section(const Highlight& h, size_t k) {
    const bool parts = !h.parts.empty();
    has_parts_ |= parts;
    has_highlights_ = true;
    has_marks_ |= !h.words.mark.empty();
    begin_section("map highlight", escape_markup(one_line(h.title.empty() ? str_cat("Text ", k + 1) : h.title)), k);
    const bool empty = h.words.tokens.empty();
    const double top = scale_top(h, options_.scale);
    const std::vector<double> at = places(h, options_.scale);
    if (empty) out_ += "<p class=\"empty\">Nothing to draw: no " + name(h.words) + ".</p>\n";
    for (int64_t hop = 0; hop < h.hops() && !empty; ++hop)
      words(h, hop, std::span(at).subspan(static_cast<size_t>(hop) * h.words.tokens.size()), top);
    labels(h);
    if (!empty) legend(top, h.weight_name, parts ? str_cat("<span class=\"means\">", kPartsMean, "</span>") : "");
    out_ += "</section>\n";
  }

  // `at`: where the words of this hop stand on the scale.
  void words(const Highlight& h, int64_t hop, std::span<const double> at, double top) {
    const std::vector<std::string>& tokens = h.words.tokens;
    const float* w = h.weights.data<float>() + hop * std::ssize(tokens);
    out_ += "<div class=\"side\">";
    if (h.hops() > 1) out_ += str_cat("<span class=\"name\">hop ", hop + 1, "</span>");
    const std::vector<bool> starts = word_starts(tokens, h.parts);
    const auto run = [&](size_t begin, size_t end, const std::string& more) {
      for (size_t k = begin; k < end; ++k) {
        const std::string classes = sides(at[k]);
        token(tokens[k], k, starts[k], " lit" + (classes.empty() ? "" : " " + classes) + marked_class(h.words.mark, k),
              " style=\"--w:" + fixed(at[k], 3) + "\" data-w=\"" + fixed(w[k], 4) + more + "\"");
      }
      out_ += "</p></div>\n";
    };
    out_ += h.parts.empty() ? "<p class=\"words\" dir=\"auto\">" : "<div class=\"words\">\n";
    if (h.parts.empty()) return run(0, tokens.size(), "");
    size_t begin = 0;
    for (size_t p = 0; p < h.parts.size(); ++p) {
      const float weight = h.part_weights.data<float>()[p];
      part(h, p, place(weight, top));
      const size_t end = begin + static_cast<size_t>(h.parts[p]);
      run(begin, end, " in a part of " + fixed(weight, 4));
      begin = end;
    }
    out_ += "</div></div>\n";
  }

  // The box before a part, and the beginning of its words.
  void part(const Highlight& h, size_t p, double place) {
    const std::string classes = sides(place);
    out_ += str_cat("<div class=\"part\"><span class=\"share lit", classes.empty() ? "" : " " + classes,
                    "\" style=\"--w:", fixed(place, 3), "\" data-w=\"", fixed(h.part_weights.data<float>()[p], 4),
                    "\" tabindex=\"0\" role=\"note\" aria-label=\"part ", p + 1, " of ", h.parts.size(), "\">",
                    shorten(part_number(h, p), 6), "</span><p dir=\"auto\">");
  }

  void labels(const Highlight& h) {
    if (h.probabilities.empty()) return;
    out_ += "<div class=\"labels\">\n";
    for (const auto& [label, probability] : h.best())
      out_ +=
          str_cat("<bdi>", escape_markup(one_line(label)),
                  "</bdi><span class=\"track\"><span style=\"width:", fixed(100 * std::clamp(probability, 0.0, 1.0), 2),
                  "%\"></span></span><span title=\"", fixed(probability, 4), "\">", fixed(probability, 2), "</span>\n");
    out_ += "</div>\n";
  }

  // The caption, whose words each bring their map over the large picture when pointed at, and the film. All of it works
  // without a script; only the arrow keys need one.
  void section(const PictureMaps& m, size_t k) {
    const std::string title = one_line(m.title.empty() ? str_cat("Picture ", k + 1) : m.title);
    begin_section("gaze", escape_markup(title), k);
    const CellSize size = cell_size(m.picture);
    const LitPicture lit(m, options_.scale, size.width, size.height);
    const std::string name = str_cat("p", k, "-");
    const auto shot = [&](const std::string& of, const Pixels& pixels) {
      gaze_styles_ += "." + name + of + "{background-image:url(" + data_uri(pixels) + ")}\n";
    };
    const auto U = m.tokens.size();
    shot("0", lit.whole());
    for (size_t u = 0; u < U; ++u) shot(str_cat(u + 1), lit.lit(static_cast<int64_t>(u)));
    out_ += str_cat(
        "<div class=\"look\" style=\"--wide:", fixed(kLargest * size.width / std::max(size.width, size.height), 2),
        "rem;--shape:", fixed(size.width, 0), "/", fixed(size.height, 0), "\">\n<p class=\"said\" dir=\"auto\">");
    const std::vector<bool> starts = word_starts(m.tokens);
    for (size_t u = 0; u < U; ++u) {
      const std::string said = escape_markup(said_of(m, static_cast<int64_t>(u)));
      out_ += str_cat(u > 0 && starts[u] ? " " : "", "<span class=\"word", u > 0 && !starts[u] ? " piece" : "",
                      "\" tabindex=\"0\" role=\"note\" aria-label=\"", said, "\">", marked(visible(m.tokens[u])),
                      "<span class=\"over\" dir=\"ltr\" aria-hidden=\"true\"><span class=\"shot ", name, u + 1,
                      "\"></span><bdi>", said, "</bdi></span></span>");
    }
    out_ +=
        str_cat("</p>\n<div class=\"shot stage ", name, "0\" role=\"img\" aria-label=\"the picture\"></div>\n</div>\n");
    film(m, name, size);
    const std::string end = shared_end(m, options_.scale);
    out_ += str_cat("<p class=\"legend\">In its own colours: ",
                    end.empty() ? "where the weight is the largest of the word" : "a weight of " + end,
                    "; grey: no weight; line: half of that.</p>\n</section>\n");
  }

  void film(const PictureMaps& m, const std::string& name, const CellSize& size) {
    out_ += str_cat("<div class=\"film\" style=\"--wide:", fixed(size.width, 0), "px;--shape:", fixed(size.width, 0),
                    "/", fixed(size.height, 0), "\">\n");
    for (size_t u = 0; u < m.tokens.size(); ++u) {
      const auto word = static_cast<int64_t>(u);
      out_ += str_cat("<figure><div class=\"shot ", name, u + 1, "\" role=\"img\" aria-label=\"",
                      escape_markup(said_of(m, word)), "\"></div><figcaption dir=\"auto\">",
                      marked(visible(m.tokens[u])), "<small>up to ", weight_text(largest_weight(m, word)),
                      m.row_scores.empty() ? "" : str_cat("<span>log p ", fixed(m.row_scores[u], 2), "</span>"),
                      "</small>");
      if (!m.elsewhere.empty())
        out_ += str_cat("<small>off the picture ", share_text(m.elsewhere[u]),
                        "</small><span class=\"off\"><span style=\"width:",
                        fixed(100 * std::clamp(m.elsewhere[u], 0.0, 1.0), 2), "%\"></span></span>");
      out_ += "</figcaption></figure>\n";
    }
    out_ += "</div>\n";
  }

  static constexpr double kLargest = 26;  // rem: the longer side of the large picture

  const HtmlOptions& options_;
  const double light_turns_ = turning_point(palette(Theme::light)), dark_turns_ = turning_point(palette(Theme::dark));
  bool has_totals_ = false, has_highlights_ = false, has_parts_ = false, has_tables_ = false, has_marks_ = false;
  std::string chart_styles_;  // the colours of each chart
  std::string gaze_styles_;   // the pictures of all maps over pictures, each of them once
  std::string out_;           // the sections
};

}  // namespace

std::string to_html(std::span<const Figure> figures, const HtmlOptions& options) { return Page(options).run(figures); }

std::string to_html(const Figure& figure, const HtmlOptions& options) {
  return to_html(std::span(&figure, 1), options);
}

}  // namespace lookback::viz
