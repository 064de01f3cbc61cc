#include "lookback/data/encoding_guess.h"

#include "lookback/base/error.h"
#include "lookback/base/line_reader.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using namespace std::string_literals;

// Text below U+10000, given as UTF-16 units in the byte order of the processor.
std::string units(const std::u16string& text, size_t width, bool big_endian) {
  std::string out;
  for (const char16_t c : text) {
    std::string unit{static_cast<char>(c & 0xFF), static_cast<char>(c >> 8)};
    unit.resize(width);
    if (big_endian) unit = {unit.rbegin(), unit.rend()};
    out += unit;
  }
  return out;
}

const std::u16string kLatin = u"Ein Hund läuft.\r\nZwei Männer\r\n\r\nEnde\r\n";
const std::u16string kCyrillic = u"Собака бежит по снегу.\nДва человека\nи ещё один\n";

class EncodingGuessTest : public FolderTest {
 protected:
  // What is said of a file with these bytes where no line may be bad; nothing if none is.
  std::string told(const std::string& bytes, double most = 0) const {
    const std::string path = file("f.txt", bytes);
    LineReader reader(path);
    LineTally tally("f.txt");
    for (std::string line; reader.next(line);) tally.add(line, reader.number(), is_utf8_text(line));
    try {
      tally.check_share(most);
    } catch (const FormatError& e) {
      return e.what();
    }
    return "";
  }
  void says(const std::string& bytes, const std::string& words, const std::string& more = "") const {
    const std::string m = told(bytes);
    EXPECT_NE(m.find(words), std::string::npos) << m;
    EXPECT_NE(m.find(more), std::string::npos) << m;
    EXPECT_EQ(m.find('\n'), std::string::npos);
  }
};

TEST_F(EncodingGuessTest, TheMessageSaysHowManyWhatAndWhatToDo) {
  EXPECT_EQ(
      told("a\nM\xE4nner\nb\nStra\xDF"
           "e\n"),
      "f.txt: 2 of 4 lines are not UTF-8, the first is line 2; it looks like Latin-1 (ISO-8859-1 or Windows-1252); "
      "convert it (iconv -f WINDOWS-1252 -t UTF-8), or set data.max_bad = 1 to leave such lines out");
}

TEST_F(EncodingGuessTest, TheShareIsOfAllLinesAndItsBoundIsAllowed) {
  EXPECT_EQ(told("a\n\xE4\nb\nc\n", 0.25), "");
  EXPECT_NE(told("a\n\xE4\nb\nc\n", 0.24), "");
  EXPECT_EQ(told("\xE4\n", 1), "");
  EXPECT_EQ(told(""), "");
}

TEST_F(EncodingGuessTest, Utf16WithAMark) {
  says("\xFF\xFE" + units(kLatin, 2, false), "it looks like UTF-16;", "-f UTF-16 ");
  says("\xFE\xFF" + units(kLatin, 2, true), "it looks like UTF-16;", "-f UTF-16 ");
  says("\xFF\xFE" + units(kCyrillic, 2, false), "it looks like UTF-16;");
  EXPECT_NE(told("\xFF\xFE" + units(kLatin, 2, false), 0.7), "");  // lines without ä are bad too
}

TEST_F(EncodingGuessTest, Utf16WithoutAMark) {
  says(units(u"Ein Hund\nist hier\n", 2, false), "3 of 3 lines", "-f UTF-16LE ");
  says(units(u"Ein Hund\nist hier\n", 2, true), "2 of 2 lines", "-f UTF-16BE ");
  says(units(kLatin, 2, false), "UTF-16, little-endian;", "-f UTF-16LE ");
  says(units(kLatin, 2, true), "UTF-16, big-endian;", "-f UTF-16BE ");
  says(units(u"\nEin Hund\n", 2, false), "-f UTF-16LE ");
  says(units(u"\nEin Hund\n", 2, true), "-f UTF-16BE ");
  says(units(kCyrillic, 2, false), "it looks like UTF-16");
  says(units(kCyrillic, 2, true), "it looks like UTF-16");
}

TEST_F(EncodingGuessTest, Utf32) {
  says("\xFF\xFE\0\0"s + units(kLatin, 4, false), "it looks like UTF-32;", "-f UTF-32 ");
  says("\0\0\xFE\xFF"s + units(kLatin, 4, true), "it looks like UTF-32;", "-f UTF-32 ");
  says(units(kLatin, 4, false), "UTF-32", "-f UTF-32LE ");
  says(units(kLatin, 4, true), "UTF-32", "-f UTF-32BE ");
}

TEST_F(EncodingGuessTest, WesternTextIsLatin1) {
  says(
      "Gr\xF6\xDF"
      "eres M\xE4"
      "dchen, \x84"
      "ach\x93\n",
      "Latin-1");
  says(
      "cr\xE9\xE9"
      "e \xE0 l\x92"
      "\xE9"
      "cole\n\xBFqu\xE9?\n",
      "Latin-1");
}

TEST_F(EncodingGuessTest, OtherEncodingsAreUnknown) {
  says("za\xBF\xF3\xB3\xE6 g\xEA\xB6l\xB1 ja\xBC\xF1\n", "unknown", "-f ITS-ENCODING");  // ISO-8859-2
  says("\xD1\xCF\xC2\xC1\xCB\xC1 \xC2\xC5\xD6\xC9\xD4\n", "unknown");                    // KOI8-R
  says("\xD2\xBB\xD6\xBB\xB9\xB7\xD4\xDA\xC5\xDC\xA1\xA3\n", "unknown");                 // GB18030
  says(
      "\x00\x01\x7F"
      "ELF\x02\x01\xFF\n\x80\x81\x82\x83\x84\n"s,
      "unknown");
}

TEST_F(EncodingGuessTest, Utf8IsLeftAlone) {
  EXPECT_EQ(told("\xEF\xBB\xBF"
                 "Männer\nДва\n犬\n"),
            "");
  EXPECT_EQ(told("a stray\0NUL\nor \0two of them\0 here\n"s), "");
}

}  // namespace
}  // namespace lookback::data
