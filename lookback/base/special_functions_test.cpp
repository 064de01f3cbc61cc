#include "lookback/base/special_functions.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>

#include "lookback/base/elementary.h"
#include "lookback/base/rng.h"

namespace lookback {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void expect_near(double got, double want, double relative, double x) {
  EXPECT_LE(std::abs(got - want), relative * std::abs(want)) << x << ": " << got << " for " << want;
}

// scipy 1.17.1: special.gammaln(x), special.digamma(x)
TEST(SpecialFunctions, GammaAsScipy) {
  constexpr double kWant[][3] = {
      {1e-8, 18.42068073818021, -100000000.57721564},   {0.1, 2.252712651734206, -10.423754940411076},
      {0.5, 0.5723649429247, -1.9635100260214235},      {1.3, -0.10817480950786049, -0.16919088886679962},
      {1.7, -0.09580769740706585, 0.20854787487349394}, {2.25, 0.1248717148923966, 0.5725464666237347},
      {5, 3.1780538303479458, 1.5061176684318003},      {15.999, 27.89653040276015, 2.7409488324649627},
      {16, 27.899271383840894, 2.7410133283274605},     {100.5, 361.43554046777757, 4.605174352581845},
      {1000000, 12815504.569147611, 13.81551005796419}, {1000000000000, 26631021115915.65, 27.631021115928046},
  };
  for (const auto& [x, log_gamma, digamma] : kWant) {
    expect_near(special::log_gamma(x), log_gamma, 1e-13, x);
    expect_near(special::digamma(x), digamma, 1e-13, x);
  }
  EXPECT_NEAR(special::log_gamma(1), 0, 1e-14);
  EXPECT_NEAR(special::log_gamma(2), 0, 1e-14);
  EXPECT_EQ(special::log_gamma(kInfinity), kInfinity);
  for (const double bad : {0.0, -1.5, std::nan("")})
    EXPECT_TRUE(std::isnan(special::log_gamma(bad)) && std::isnan(special::digamma(bad))) << bad;
}

// mpmath 1.4.1 with 60 digits: loggamma(x + 1/2) - loggamma(x) - log(x) / 2, digamma(x + 1/2) - digamma(x) - 1 / (2 x)
TEST(SpecialFunctions, HalfStepOfGammaKeepsItsDigits) {
  constexpr double kWant[][3] = {
      {0.001, -2.8828973483937532, 498.61698830979384},     {0.5, -0.22579135264472744, 0.38629436111989063},
      {1, -0.12078223763524522, 0.11370563888010939},       {1.5, -0.08195031641883697, 0.052961027786557285},
      {7.25, -0.01722778885584728, 0.0023725185692302585},  {15.99, -0.007816113403610965, 0.0004886536241689434},
      {16, -0.007811229919967624, 0.0004880432951631287},   {17, -0.0073518821614313576, 0.0004323391953413818},
      {50, -0.002499958338331816, 4.9997500499787654e-5},   {500, -0.00024999995833338334, 4.999997500005e-7},
      {500000, -2.499999999999583e-7, 4.9999999999975e-13}, {1000000000, -1.25e-10, 1.25e-19},
  };
  for (const auto& [x, value, slope] : kWant) {
    expect_near(special::log_half_step(x), value, 2e-12, x);
    expect_near(special::half_step_slope(x), slope, 2e-12, x);
  }
}

// scipy 1.17.1: special.ndtri(p)
TEST(SpecialFunctions, NormalQuantileAsScipy) {
  constexpr double kWant[][2] = {
      {1e-300, -37.0470962993612},   {1e-100, -21.273453560965322}, {1e-20, -9.262340089798409},
      {1e-9, -5.9978070150076865},   {0.001, -3.090232306167813},   {0.025, -1.9599639845400545},
      {0.075, -1.4395314709384563},  {0.3, -0.5244005127080409},    {0.4999, -0.0002506628300880075},
      {0.6, 0.2533471031357997},     {0.925, 1.4395314709384563},   {0.975, 1.959963984540054},
      {0.999999, 4.753424308817087},
  };
  for (const auto& [p, z] : kWant) expect_near(special::normal_quantile(p), z, 1e-14, p);
  EXPECT_EQ(special::normal_quantile(0.5), 0);
  EXPECT_EQ(special::normal_quantile(0), -kInfinity);
  EXPECT_EQ(special::normal_quantile(1), kInfinity);
  for (const double bad : {-0.1, 1.1, std::nan("")}) EXPECT_TRUE(std::isnan(special::normal_quantile(bad))) << bad;
}

// scipy 1.17.1: stats.t.ppf(p, df). By mpmath 1.4.1 instead, where that gives -inf (p = 1e-300 for df from 2.05 to 10):
// the root of betainc(df / 2, 1 / 2, 0, df / (df + t^2), regularized=True) / 2 = p; and where it has ten digits
// (p = 0.500001): the root of 2 density(0) (t - (df + 1) / (6 df) t^3) = 2 p - 1, for df = 1 tan(pi (p - 1/2)).
TEST(SpecialFunctions, StudentTQuantileAsScipy) {
  constexpr double kLevels[] = {1e-300, 1e-50, 1e-12, 1e-6,     0.001, 0.025, 0.0499, 0.0501,
                                0.1,    0.3,   0.499, 0.500001, 0.75,  0.9,   0.99,   0.9999};
  struct Want {
    double df, quantiles[std::size(kLevels)];
  };
  constexpr Want kWant[] = {
      {1,
       {-3.183098861837907e299, -3.1830988618379065e49, -318309886183.7907, -318309.8861827435, -318.30883898555044,
        -12.706204736174705, -6.326614663461311, -6.3009392935909245, -3.0776835371752536, -0.7265425280053609,
        -0.003141602989056244, 3.1415926536904674e-6, 1.0000000000000002, 3.0776835371752544, 31.820515953773935,
        3183.098757118502}},
      {2,
       {-7.071067811865475e149, -7.071067811865475e24, -707106.7811854869, -707.1057205259339, -22.327124770119873,
        -4.302652729749464, -2.923405629365021, -2.9165752376936522, -1.8856180831641267, -0.6172133998483678,
        -0.002828432781617413, 2.82842712483318e-6, 0.8164965809277261, 1.8856180831641272, 6.9645567342832715,
        70.70007107496818}},
      {2.05,
       {-1.5908366315336113e146, -1.7799429001982536e24, -517393.18585742626, -612.3370566709859, -21.029083038465224,
        -4.20363518364864, -2.8753028945371053, -2.868689652023542, -1.865525181741326, -0.6147521503616644,
        -0.0028205849817930072, 2.8205794175733485e-6, 0.8125721573115199, 1.8655251817413265, 6.738092451922696,
        64.75924262715489}},
      {3,
       {-1.033110836044653e100, -4.795275720469223e16, -10331.108244292487, -103.29946778041935, -10.214531852407385,
        -3.1824463052837086, -2.3555699701588417, -2.351162254245061, -1.6377443536962089, -0.5843897274398188,
        -0.002720703521734108, 2.7206990464340377e-6, 0.7648923284043444, 1.637744353696209, 4.540702858568132,
        22.203742273205}},
      {4.5,
       {-6.7094554006634836e66, -186694582088.05545, -670.942702505106, -31.081356583149244, -6.421242884295792,
        -2.658912347204404, -2.0672352768232956, -2.063920061635278, -1.5008853175085575, -0.5635058039393779,
        -0.002648681895619624, 2.648678110510481e-6, 0.7328666862359944, 1.5008853175085577, 3.527050890626092,
        11.02099636861251}},
      {10,
       {-2.564525718948198e30, -256452.5718769477, -40.5320961786626, -9.751995490940581, -4.143700494046589,
        -2.2281388519862753, -1.8136880549783228, -1.8112364456197727, -1.3721836411103359, -0.5415280387550154,
        -0.002569981146866868, 2.5699780350075056e-6, 0.6998120613124317, 1.372183641110336, 2.7637694581126957,
        5.693820101457592}},
      {30,
       {-50178575360.50508, -232.84591679865065, -11.397217523311413, -5.871117120418882, -3.385184866829305,
        -2.042272456301238, -1.6983086862652501, -1.6962148407969442, -1.3104150253913955, -0.5300190039065046,
        -0.002527603007215116, 2.5276002261988227e-6, 0.6827556933212927, 1.3104150253913955, 2.457261542400591,
        4.23398595727206}},
      {250,
       {-246.42651763443766, -19.000572180254707, -7.405391504610617, -4.867928470361656, -3.123150229027092,
        -1.9694983934211538, -1.6519507633879242, -1.6499937861499272, -1.2849470554222562, -0.5250698002392649,
        -0.002509138793305459, 2.5091361500215387e-6, 0.675472361397439, 1.2849470554222564, 2.341356118385916,
        3.7749127906181994}},
      {10000,
       {-38.356384321004235, -15.017359617235284, -7.0433716020557755, -4.75622968505678, -3.091047516030612,
        -1.9602012398906263, -1.6459766104613351, -1.6440369726213022, -1.2816362297304775, -0.524417228345467,
        -0.0025066935665211086, 2.5066909411957965e-6, 0.6745142844835927, 1.2816362297304775, 2.3267208386694755,
        3.7203958691176684}},
      {1000000,
       {-37.05982087277439, -14.934173857988046, -7.034572608411255, -4.75345234827968, -3.09024045631652,
        -1.9599663568141072, -1.6458255240159196, -1.6438863237936534, -1.2815524121299389, -0.5244006798602092,
        -0.002506631526233507, 2.5066289013628524e-6, 0.6744899955310875, 1.281552412129939, 2.326351603120805,
        3.719030274762571}},
      {10000000000,
       {-37.04709757145419, -14.933337618416886, -7.034483834179348, -4.75342431162683, -3.090232306982826,
        -1.9599639847772812, -1.6458239981851566, -1.6438848023821915, -1.281551565629259, -0.5244005127247564,
        -0.0025066308996343823, 2.506628274768371e-6, 0.6744897502206151, 1.281551565629259, 2.3263478744137482,
        3.7190164868346347}},
  };
  for (const Want& want : kWant)
    for (size_t k = 0; k < std::size(kLevels); ++k)
      expect_near(special::student_t_quantile(want.df, kLevels[k]), want.quantiles[k], 1e-12, kLevels[k]);
}

TEST(SpecialFunctions, StudentTQuantileAtItsEnds) {
  EXPECT_EQ(special::student_t_quantile(3, 0.5), 0);
  EXPECT_EQ(special::student_t_quantile(3, 0), -kInfinity);
  EXPECT_EQ(special::student_t_quantile(3, 1), kInfinity);
  for (const double df : {1e15, 1e18, 1e20, kInfinity})
    for (const double p : {1e-200, 0.01, 0.3, 0.5 + 1e-9, 0.99})
      expect_near(special::student_t_quantile(df, p), special::normal_quantile(p), 1e-12, p);
  // 1 / (pi p) of Cauchy's distribution, sqrt(1 / (2 p)) with two degrees of freedom: also where squares overflow.
  expect_near(special::student_t_quantile(1, 1e-305), -1e305 / 3.141592653589793, 1e-12, 1);
  expect_near(special::student_t_quantile(2, 1e-308), -1e154 * std::sqrt(0.5), 1e-12, 2);
  for (const double bad : {0.5, 0.0, -1.0, std::nan("")})
    EXPECT_TRUE(std::isnan(special::student_t_quantile(bad, 0.1))) << bad;
  EXPECT_TRUE(std::isnan(special::student_t_quantile(3, 1.1)) &&
              std::isnan(special::student_t_quantile(3, std::nan(""))));
}

// No jump where one way to it is left for another, at 0.05.
TEST(SpecialFunctions, StudentTQuantileAscends) {
  for (const double df : {1.0, 2.0, 7.5, 300.0, 1e7})
    for (double p = 0.0495; p < 0.0505; p += 1e-5)
      EXPECT_LT(special::student_t_quantile(df, p), special::student_t_quantile(df, p + 1e-5)) << df << " " << p;
}

// The same on every processor: to be seen by running this there.
TEST(SpecialFunctions, TheBitsAreThese) {
  Rng rng(6);
  uint64_t hash = 0;
  const auto take = [&](double x) { hash = (hash ^ std::bit_cast<uint64_t>(x)) * 0x9E3779B97F4A7C15; };
  for (int k = 0; k < 2000; ++k) {
    const double p = rng.uniform_double(), x = elementary::exp(20 * rng.uniform_double() - 3);
    take(special::log_gamma(x)), take(special::digamma(x)), take(special::log_half_step(x));
    take(special::half_step_slope(x)), take(special::normal_quantile(p)), take(special::student_t_quantile(1 + x, p));
    take(rng.gamma(x));
  }
  EXPECT_EQ(hash, 7567201317450834619u);
}

}  // namespace
}  // namespace lookback
