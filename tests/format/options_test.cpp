#include "mgd/format/options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/core/philox.h"

namespace mgd {
namespace {

struct Inner {
  std::string path;
  double ratio = 0.5;
  void visit(OptionVisitor& v) {
    v.option("path", path, {.help = "a path"});
    v.option("ratio", ratio, {.help = "a fraction", .min = 0, .max = 1});
  }
};

struct Sample {
  bool flag = false;
  std::int64_t epochs = 3;
  double lr = 0.1;
  std::string device = "cpu";
  std::vector<std::string> names;
  std::vector<std::int64_t> sizes;
  std::vector<double> means = {0.5};
  std::vector<Node> losses;
  Inner inner;
  void visit(OptionVisitor& v) {
    v.option("flag", flag, {.help = "a switch"});
    v.option("epochs", epochs, {.help = "passes", .min = 1});
    v.option("lr", lr, {.help = "rate", .min = 0, .max = 10, .min_open = true});
    v.option("device", device, {.help = "where", .choices = {"cpu", "cuda"}});
    v.option("names", names, {.help = "names"});
    v.option("sizes", sizes, {.help = "sizes", .min = 0});
    v.option("means", means, {.help = "means"});
    v.entries("losses", losses, {.help = "losses"});
    v.group("inner", inner, {.help = "inner"}, "path");
  }
};

Sample read(const std::string& text) {
  Sample sample;
  read_options(parse_yaml(text, "r.yaml"), sample, "");
  return sample;
}

std::string refusal(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "accepted";
}

TEST(Options, ReadsEveryType) {
  const Sample s = read(
      "{flag: true, epochs: 7, lr: 5e-4, device: cuda, names: one, sizes: [1, 2], means: [0.1, 1], inner: "
      "{ratio: 1}}");
  EXPECT_TRUE(s.flag);
  EXPECT_EQ(s.epochs, 7);
  EXPECT_EQ(s.lr, 5e-4);
  EXPECT_EQ(s.device, "cuda");
  EXPECT_EQ(s.names, std::vector<std::string>{"one"});
  EXPECT_EQ(s.sizes, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(s.means, (std::vector<double>{0.1, 1}));
  EXPECT_EQ(s.inner.ratio, 1);
  EXPECT_EQ(read("inner: some/folder").inner.path, "some/folder");
  EXPECT_EQ(read("means:").means.size(), 0U);
  EXPECT_EQ(read("").epochs, 3);
}

TEST(Options, UnknownKeyNamesPlaceGroupAndNearestOfAllKeys) {
  EXPECT_EQ(refusal("lr: 1\nepohcs: 3\n"), "r.yaml:2:1: unknown key 'epohcs'; did you mean 'epochs'?");
  // `path` is declared before `ratio`: the nearest is searched among all keys, not those read so far.
  EXPECT_EQ(refusal("inner: {ratoi: 1}"), "r.yaml:1:9: unknown key 'ratoi' in inner; did you mean 'ratio'?");
  EXPECT_EQ(refusal("inner: {zzz: 1}"), "r.yaml:1:9: unknown key 'zzz' in inner; known: path, ratio");
}

TEST(Options, IgnoredKeysAreAcceptedAndSuggested) {
  Inner inner;
  read_options(parse_yaml("{name: kd, ratio: 0.25}", "r"), inner, "losses.0", {"name"});
  EXPECT_EQ(inner.ratio, 0.25);
  try {
    read_options(parse_yaml("{nmae: kd}", "r"), inner, "losses.0", {"name"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "r:1:2: unknown key 'nmae' in losses.0; did you mean 'name'?");
  }
}

TEST(Options, WrongTypesSayWhatTheyGotAndExpected) {
  EXPECT_EQ(refusal("lr: fast"), "r.yaml:1:5: lr: got 'fast', expected a number");
  EXPECT_EQ(refusal("lr: nan"), "r.yaml:1:5: lr: got nan, expected a number");
  EXPECT_EQ(refusal("lr: .nan"), "r.yaml:1:5: lr: got '.nan', expected a number");
  EXPECT_EQ(refusal("lr: inf"), "r.yaml:1:5: lr: got inf, expected a number");
  EXPECT_EQ(refusal("lr: 1e999"), "r.yaml:1:5: lr: got '1e999', expected a number that a double holds");
  EXPECT_EQ(refusal("lr: [1]"), "r.yaml:1:5: lr: got a list, expected a number");
  EXPECT_EQ(refusal("lr:"), "r.yaml:1:1: lr: got nothing, expected a number");
  EXPECT_EQ(refusal("epochs: 1.5"), "r.yaml:1:9: epochs: got 1.5, expected an integer");
  EXPECT_EQ(refusal("epochs: 9223372036854775808"),
            "r.yaml:1:9: epochs: got 9223372036854775808, expected an integer of at most 64 bits");
  EXPECT_EQ(refusal("epochs: {a: 1}"), "r.yaml:1:9: epochs: got a map, expected an integer");
  EXPECT_EQ(refusal("flag: yes"), "r.yaml:1:7: flag: got 'yes', expected true or false");
  EXPECT_EQ(refusal("flag: 1"), "r.yaml:1:7: flag: got 1, expected true or false");
  EXPECT_EQ(refusal("inner: [1]"), "r.yaml:1:8: inner: got a list, expected a map of key: value");
  EXPECT_EQ(refusal("[1]"), "r.yaml:1:1: the top level: got a list, expected a map of key: value");
  EXPECT_EQ(refusal("device: {a: 1}"), "r.yaml:1:9: device: got a map, expected a text");
  EXPECT_EQ(refusal("device: \"a\\0b\""), "r.yaml:1:9: device: got 'a\\x00b', expected a text without NUL");
}

TEST(Options, ValuesOutOfRangeSayTheRange) {
  EXPECT_EQ(refusal("inner:\n  ratio: 1.5"), "r.yaml:2:10: inner.ratio: got 1.5, expected 0 ... 1");
  EXPECT_EQ(refusal("epochs: 0"), "r.yaml:1:9: epochs: got 0, expected >= 1");
  EXPECT_EQ(refusal("lr: 0"), "r.yaml:1:5: lr: got 0, expected > 0 and <= 10");
  EXPECT_EQ(refusal("sizes: [1, -2]"), "r.yaml:1:12: sizes.1: got -2, expected >= 0");
  EXPECT_EQ(refusal("device: cdua"),
            "r.yaml:1:9: device: got 'cdua', expected one of cpu, cuda; did you mean 'cuda'?");
}

TEST(Options, EntriesAreNormalised) {
  const Sample s = read("losses: [flip, crop: 4, crop: {padding: 2}, {name: kd, weight: 1}, cut:]");
  std::string all;
  for (const Node& entry : s.losses) all += to_yaml_flow(entry);
  EXPECT_EQ(all,
            "{name: flip}{name: crop, value: 4}{name: crop, padding: 2}{name: kd, weight: 1}{name: cut}");
  EXPECT_EQ(s.losses[1].find("value")->origin.text(), "r.yaml:1:22");
  EXPECT_EQ(read("losses: flip").losses.size(), 1U);
  EXPECT_EQ(refusal("losses: [{a: 1, b: 2}]"),
            "r.yaml:1:10: losses.0: got a map without a name (a, b), expected {name: NAME, ...}");
  EXPECT_EQ(refusal("losses: [[1]]"),
            "r.yaml:1:10: losses.0: got a list, expected a name or a map with a name");
  EXPECT_EQ(refusal("losses: [{name: }]"), "r.yaml:1:17: losses.0.name: got nothing, expected a name");
  EXPECT_EQ(refusal("losses: [kd: {name: mgd}]"), "r.yaml:1:14: losses.0: two names: 'kd' and 'mgd'");
}

TEST(Options, DescribesEveryMember) {
  const auto rows = describe_options<Sample>();
  ASSERT_EQ(rows.size(), 10U);
  EXPECT_EQ(rows[2].name, "lr");
  EXPECT_EQ(rows[2].type, "number");
  EXPECT_EQ(rows[2].default_value, "0.1");
  EXPECT_EQ(rows[2].range, "> 0 and <= 10");
  EXPECT_EQ(rows[3].range, "one of cpu, cuda");
  EXPECT_EQ(rows[8].name, "inner.path");
  EXPECT_EQ(rows[9].help, "a fraction");
}

Node overridden(const std::string& text, const std::string& assignment) {
  Node root = parse_yaml(text, "r.yaml");
  apply_override(root, assignment);
  return root;
}

std::string override_refusal(const std::string& text, const std::string& assignment) {
  try {
    overridden(text, assignment);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "accepted";
}

TEST(Overrides, SetWhatTheyName) {
  EXPECT_EQ(to_yaml_flow(overridden("train: {lr: 1}", "train.epochs=3")), "{train: {lr: 1, epochs: 3}}");
  EXPECT_EQ(to_yaml_flow(overridden("", "a.b.c=[1, x y]")), "{a: {b: {c: [1, \"x y\"]}}}");
  EXPECT_EQ(
      to_yaml_flow(overridden("losses: [{name: a}, {name: b, mask_ratio: 1}]", "losses.1.mask_ratio=0.5")),
      "{losses: [{name: a}, {name: b, mask_ratio: 0.5}]}");
  EXPECT_EQ(to_yaml_flow(overridden("losses: [kd, crop: 4]", "losses.0.weight=2")),
            "{losses: [{name: kd, weight: 2}, {crop: 4}]}");
  EXPECT_EQ(to_yaml_flow(overridden("a: [{crop: 4}]", "a.0.p=1")), "{a: [{name: crop, value: 4, p: 1}]}");
  EXPECT_EQ(to_yaml_flow(overridden("a: 1", "a=")), "{a: null}");
  EXPECT_EQ(to_yaml_flow(overridden("a: 1", "a=b=c")), "{a: \"b=c\"}");
}

TEST(Overrides, AreTheOriginOfWhatTheySet) {
  const Node root = overridden("train: {lr: 1}", "train.lr=fast");
  EXPECT_EQ(origin_of(root, "train.lr").text(), "command line: train.lr=fast");
  EXPECT_EQ(origin_of(root, "train").text(), "r.yaml:1:8");
  Sample sample;
  const Node wrong = overridden("", "epohcs=1");
  try {
    read_options(wrong, sample, "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "command line: epohcs=1: unknown key 'epohcs'; did you mean 'epochs'?");
  }
}

TEST(Overrides, RefuseWhatTheyCannotReach) {
  EXPECT_EQ(override_refusal("a: 1", "train.epochs"),
            "command line: got 'train.epochs', expected KEY=VALUE, e.g. train.epochs=3");
  EXPECT_EQ(override_refusal("a: 1", "=3").substr(0, 27), "command line: got '=3', exp");
  EXPECT_EQ(override_refusal("a: 1", "a..b=3"),
            "command line: a..b=3: expected KEY=VALUE with names joined by dots, e.g. train.epochs=3");
  EXPECT_EQ(override_refusal("a: x", "a.b=3"), "command line: a.b=3: a is 'x', it has no key 'b'");
  EXPECT_EQ(override_refusal("losses: [{name: a}, {name: b}]", "losses.2.w=3"),
            "command line: losses.2.w=3: losses: got index '2', expected 0 ... 1");
  EXPECT_EQ(override_refusal("losses: [{name: a}]", "losses.mgd.w=3"),
            "command line: losses.mgd.w=3: losses: got index 'mgd', expected 0 ... 0");
  EXPECT_EQ(override_refusal("losses: []", "losses.0.w=3"),
            "command line: losses.0.w=3: losses is an empty list");
  EXPECT_EQ(override_refusal("", "a=[1").substr(0, 20), "command line: a=[1:1");
  std::string deep = "a";
  for (int i = 0; i < 10'000; ++i) deep += ".a";
  EXPECT_NE(override_refusal("", deep + "=1").find("nested deeper than 64 levels"), std::string::npos);
}

// Text that a person may type: all of YAML's indicators, line breaks, control characters and letters beyond
// ASCII.
std::string some_text(RandomStream& random) {
  static const std::vector<std::string> parts = {
      "a",    "Z",    "0",  "9",  "-",    "+",    ".", ":",  ": ",       " ",
      "#",    " #",   ",",  "[",  "]",    "{",    "}", "&",  "*",        "!",
      "|",    ">",    "'",  "\"", "\\",   "%",    "@", "`",  "?",        "~",
      "null", "true", "\n", "\t", "\x01", "\x7f", "=", "<<", "\xc3\xa9", "\xe6\xbc\xa2",
      "---",  "..."};
  std::string text;
  for (std::uint64_t i = random.below(8); i > 0; --i) text += parts[random.below(parts.size())];
  // One in twenty is longer than a reader looks for the end of a key.
  return random.below(20) == 0 ? text + std::string(600, '\x02') : text;
}

double some_number(RandomStream& random) {
  const double scale = std::ldexp(1.0, static_cast<int>(random.below(120)) - 60);
  return random.uniform(-1.0, 1.0) * scale;
}

Sample some_sample(RandomStream& random) {
  Sample s;
  s.flag = random.below(2) == 1;
  s.epochs = static_cast<std::int64_t>(1 + (random.next_u64() >> (1 + random.below(62))));
  s.lr = std::clamp(std::abs(some_number(random)), 1e-300, 10.0);
  s.device = random.below(2) == 1 ? "cuda" : "cpu";
  for (std::uint64_t i = random.below(4); i > 0; --i) s.names.push_back(some_text(random));
  for (std::uint64_t i = random.below(4); i > 0; --i)
    s.sizes.push_back(static_cast<std::int64_t>(random.next_u64() >> 1));
  s.means.clear();
  for (std::uint64_t i = random.below(4); i > 0; --i) s.means.push_back(some_number(random));
  s.inner.path = some_text(random);
  for (std::uint64_t i = random.below(3); i > 0; --i) {
    Node entry = Node::make_map();
    entry.set("name", Node::make_scalar("n" + some_text(random)));
    entry.set("k" + some_text(random), Node::make_scalar(some_text(random)));
    s.losses.push_back(std::move(entry));
  }
  return s;
}

// A property over a thousand drawn values; the number of the case is its seed.
TEST(Options, WriteThenReadGivesTheSame) {
  for (std::uint64_t i = 0; i < 1000; ++i) {
    RandomStream random(random_key(7, "options_test"), 0, i);
    const Sample s = some_sample(random);
    const std::string yaml = to_yaml(write_options(s));
    Sample back;
    ASSERT_NO_THROW(back = read(yaml)) << "case " << i << "\n" << yaml;
    ASSERT_EQ(to_yaml(write_options(back)), yaml) << "case " << i;
    ASSERT_EQ(back.flag, s.flag) << "case " << i;
    ASSERT_EQ(back.epochs, s.epochs) << "case " << i;
    ASSERT_EQ(back.lr, s.lr) << "case " << i;
    ASSERT_EQ(back.device, s.device) << "case " << i;
    ASSERT_EQ(back.names, s.names) << "case " << i << "\n" << yaml;
    ASSERT_EQ(back.sizes, s.sizes) << "case " << i;
    ASSERT_EQ(back.means, s.means) << "case " << i;
    ASSERT_EQ(back.inner.path, s.inner.path) << "case " << i << "\n" << yaml;
    ASSERT_EQ(back.losses.size(), s.losses.size()) << "case " << i;
  }
}

}  // namespace
}  // namespace mgd
