// The data of the demo: dates as people write them, and in ISO 8601.
#include <array>
#include <cstdio>

#include "lookback/base/rng.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {
namespace {

struct Language {
  std::array<const char*, 12> months;
  std::array<const char*, 7> days;  // from Monday
  std::vector<const char*> styles;
};

// In a style: d day, D day in two digits, o day with its English ending, m month, M month in two
// digits, n name of the month, a its first three letters, y year, Y its last two digits, w weekday.
const std::vector<Language>& languages() {
  static const std::vector<Language> kLanguages = {
      {{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December"},
       {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
       {"%w, %n %d, %y", "%n %d, %y", "%d %n %y", "%a %o, %y", "the %o of %n %y", "%w %d %a %y", "%d-%a-%Y",
        "%n %o '%Y"}},
      {{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
        "Dezember"},
       {"Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"},
       {"%w, den %d. %n %y", "%d. %n %y", "%D.%M.%y", "%d.%m.%Y", "am %d. %n '%Y"}},
      {{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
        "décembre"},
       {"lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"},
       {"%w %d %n %y", "le %d %n %y", "%D/%M/%y", "%d %n '%Y"}},
      {{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
        "diciembre"},
       {"lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"},
       {"%w, %d de %n de %y", "%d de %n de %y", "el %d de %n del '%Y"}},
  };
  return kLanguages;
}

struct Date {
  int year, month, day, weekday;  // weekday 0 is Monday
};

// Days since 1970-01-01 into the Gregorian calendar.
Date date_of(int64_t days) {
  const int weekday = static_cast<int>(((days % 7) + 7 + 3) % 7);
  int year = 1970;
  auto leap = [](int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
  while (days >= (leap(year) ? 366 : 365)) days -= leap(year++) ? 366 : 365;
  const int lengths[] = {31, leap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int month = 0;
  while (days >= lengths[month]) days -= lengths[month++];
  return {year, month + 1, static_cast<int>(days) + 1, weekday};
}

std::string two_digits(int n) { return {static_cast<char>('0' + n / 10 % 10), static_cast<char>('0' + n % 10)}; }

std::string ordinal(int day) {
  const bool teen = day / 10 == 1;
  const char* ending = teen ? "th" : day % 10 == 1 ? "st" : day % 10 == 2 ? "nd" : day % 10 == 3 ? "rd" : "th";
  return std::to_string(day) + ending;
}

std::string written(const Date& d, const Language& language, const char* style) {
  const std::string name = language.months[static_cast<size_t>(d.month - 1)];
  std::string out;
  for (const char* p = style; *p; ++p) {
    if (*p != '%') {
      out += *p;
      continue;
    }
    switch (*++p) {
      case 'd':
        out += std::to_string(d.day);
        break;
      case 'D':
        out += two_digits(d.day);
        break;
      case 'o':
        out += ordinal(d.day);
        break;
      case 'm':
        out += std::to_string(d.month);
        break;
      case 'M':
        out += two_digits(d.month);
        break;
      case 'n':
        out += name;
        break;
      case 'a':
        out += name.substr(0, 3);
        break;
      case 'y':
        out += std::to_string(d.year);
        break;
      case 'Y':
        out += two_digits(d.year % 100);
        break;
      default:
        out += language.days[static_cast<size_t>(d.weekday)];
    }
  }
  return out;
}

}  // namespace

std::vector<DemoPair> demo_dates(int64_t count, uint64_t seed, bool held_out) {
  // 1970-01-01 to 2069-12-31, so that two digits of a year tell the century. Every
  // tenth day of that calendar is kept from training.
  constexpr uint64_t kDays = 36525;
  Rng rng(seed, held_out ? 1 : 0);
  std::vector<DemoPair> out;
  while (static_cast<int64_t>(out.size()) < count) {
    const uint64_t day = rng.below(kDays);
    if ((day * 7919 % 10 == 0) != held_out) continue;
    const Date d = date_of(static_cast<int64_t>(day));
    const Language& language = languages()[rng.below(languages().size())];
    const char* style = language.styles[rng.below(language.styles.size())];
    out.push_back(
        {written(d, language, style), std::to_string(d.year) + "-" + two_digits(d.month) + "-" + two_digits(d.day)});
  }
  return out;
}

}  // namespace lookback::tasks
