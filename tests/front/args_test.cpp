#include "mgd/front/args.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {
namespace {

struct Flags {
  CommonFlags common;
  std::int64_t top_k = 5;
  double temperature = 1;
  bool pretty = true;
  std::vector<std::string> stop;
  void visit(OptionVisitor& v) {
    v.option("top_k", top_k, {.help = "how many", .min = 1});
    v.option("temperature", temperature, {.help = "heat", .min = 0, .min_open = true});
    v.option("pretty", pretty, {.help = "line breaks"});
    v.option("stop", stop, {.help = "texts that end it"});
    common.visit(v);
  }
};

// What one command line gave.
struct Result {
  int code = -1;
  Flags flags;
  std::vector<std::string> positionals;
  std::string out;
  std::string error;
};

std::vector<Verb> verbs(Result& result) {
  const auto run = [&result](const std::vector<std::string>& positionals) {
    result.positionals = positionals;
    return 7;
  };
  return {{.name = "generate",
           .help = "continues a text",
           .example = "mgd generate gpt2 --top-k 3",
           .positional_name = "MODEL [TEXT ...]",
           .positional_help = "a model folder, then texts",
           .positional_required = true,
           .options = [&result](OptionVisitor& v) { result.flags.visit(v); },
           .run = run,
           .positional_max = 4},
          {.name = "doctor",
           .help = "looks at this machine",
           .example = "mgd doctor",
           .positional_name = "",
           .positional_help = "",
           .positional_required = false,
           .options = {},
           .run = run}};
}

Result call(std::vector<std::string> words) {
  Result result;
  words.insert(words.begin(), "mgd");
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  testing::internal::CaptureStdout();
  try {
    result.code = run_command_line(verbs(result), static_cast<int>(argv.size()), argv.data());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    result.error = error.what();
  }
  result.out = testing::internal::GetCapturedStdout();
  return result;
}

using Words = std::vector<std::string>;

TEST(Args, FlagsAndPositionalsMayBeMixed) {
  const Result r = call({"generate", "gpt2", "--top-k", "3", "a=b", "--temperature=0.5", "--resume", "-"});
  EXPECT_EQ(r.code, 7) << r.error;
  EXPECT_EQ(r.positionals, (Words{"gpt2", "a=b", "-"}));
  EXPECT_EQ(r.flags.top_k, 3);
  EXPECT_EQ(r.flags.temperature, 0.5);
  EXPECT_TRUE(r.flags.common.resume);
  EXPECT_FALSE(r.flags.common.quiet);
}

TEST(Args, DefaultsStayAndLastWins) {
  const Result none = call({"generate", "m"});
  EXPECT_EQ(none.flags.top_k, 5);
  EXPECT_TRUE(none.flags.pretty);
  EXPECT_EQ(none.flags.common.color, "auto");
  EXPECT_EQ(call({"generate", "m", "--top-k", "1", "--top-k", "2"}).flags.top_k, 2);
  EXPECT_TRUE(call({"generate", "m", "--quiet", "--quiet"}).flags.common.quiet);
}

TEST(Args, ListsAreRepeatedAndNeverSplit) {
  const Result r = call({"generate", "m", "--stop", "[a,b]", "--stop", "c,d", "[MASK] is [MASK]"});
  EXPECT_EQ(r.flags.stop, (Words{"[a,b]", "c,d"}));
  EXPECT_EQ(r.positionals, (Words{"m", "[MASK] is [MASK]"}));
}

TEST(Args, TrueByDefaultIsSwitchedOffWithNo) {
  EXPECT_FALSE(call({"generate", "m", "--no-pretty"}).flags.pretty);
  EXPECT_TRUE(call({"generate", "m", "--no-pretty", "--pretty"}).flags.pretty);
}

TEST(Args, AfterTwoDashesEverythingIsPositional) {
  EXPECT_EQ(call({"generate", "m", "--", "--top-k", "-x", "--help"}).positionals,
            (Words{"m", "--top-k", "-x", "--help"}));
}

TEST(Args, UnknownVerbsAndFlagsNameTheNearest) {
  EXPECT_EQ(call({"genrate", "m"}).error, "mgd: unknown verb 'genrate'; did you mean 'generate'?");
  EXPECT_EQ(call({"zzz"}).error, "mgd: unknown verb 'zzz'; known: generate, doctor");
  EXPECT_EQ(call({"generate", "m", "--tpo-k", "3"}).error,
            "mgd generate: unknown flag '--tpo-k'; did you mean '--top-k'?");
  EXPECT_EQ(call({"generate", "m", "--sede=3"}).error,
            "mgd generate: unknown flag '--sede'; did you mean '--seed'?");
  EXPECT_EQ(call({"generate", "m", "--train.lr=3"}).error,
            "mgd generate: unknown flag '--train.lr'; keys of a recipe go without dashes: train.lr=3");
  EXPECT_EQ(call({"--seed", "3", "generate"}).error,
            "mgd: unknown flag '--seed'; flags stand after the verb: mgd VERB ... --seed");
}

TEST(Args, ValuesAreCheckedLikeOptions) {
  EXPECT_EQ(call({"generate", "m", "--top-k", "0"}).error, "--top-k: top_k: got 0, expected >= 1");
  EXPECT_EQ(call({"generate", "m", "--seed", "-1"}).error, "--seed: seed: got -1, expected >= 0");
  EXPECT_EQ(call({"generate", "m", "--temperature", "hot"}).error,
            "--temperature: temperature: got 'hot', expected a number");
  EXPECT_EQ(call({"generate", "m", "--color", "alway"}).error,
            "--color: color: got 'alway', expected one of auto, always, never; did you mean 'always'?");
  EXPECT_EQ(call({"generate", "m", "--quiet=maybe"}).error.substr(0, 7), "--quiet");
  EXPECT_EQ(call({"generate", "m", "--top-k"}).error, "mgd generate: --top-k needs a value (integer, >= 1)");
  EXPECT_EQ(call({"generate", "m", "--run-dir", "--resume"}).error,
            "mgd generate: --run-dir needs a value (text)");
}

TEST(Args, PositionalsAreCounted) {
  EXPECT_EQ(call({"generate"}).error,
            "mgd generate: MODEL [TEXT ...] is missing; e.g. mgd generate gpt2 --top-k 3");
  EXPECT_EQ(call({"doctor", "now"}).error,
            "mgd doctor: got 'now', expected flags only; see mgd doctor --help");
  EXPECT_EQ(call({"generate", "1", "2", "3", "4", "5"}).error,
            "mgd generate: got 5 too many; expected MODEL [TEXT ...]");
}

TEST(Args, HelpGoesToStdoutAndFitsTheScreen) {
  for (const Words& words : {Words{}, Words{"--help"}, Words{"-h"}, Words{"help"}}) {
    const Result r = call(words);
    EXPECT_EQ(r.code, 0);
    EXPECT_NE(r.out.find("\n  generate  continues a text\n"), std::string::npos) << r.out;
  }
  const Result r = call({"generate", "--top-k", "--help"});
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.out, call({"help", "generate"}).out);
  EXPECT_TRUE(r.out.ends_with("\nexample: mgd generate gpt2 --top-k 3\n")) << r.out;
  EXPECT_NE(r.out.find("--top-k N"), std::string::npos);
  EXPECT_NE(r.out.find("--no-pretty"), std::string::npos);
  EXPECT_NE(r.out.find("[auto, always, never] (auto)"), std::string::npos) << r.out;
  EXPECT_LE(std::count(r.out.begin(), r.out.end(), '\n'), 24) << r.out;
  std::size_t begin = 0;
  for (std::size_t end; (end = r.out.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(end - begin, 80U) << r.out.substr(begin, end - begin);
  EXPECT_EQ(call({"--version"}).out.substr(0, 4), "mgd ");
}

TEST(Args, GivenCommonFlagsBecomeOverrides) {
  EXPECT_TRUE(call({"generate", "m"}).flags.common.overrides().empty());
  EXPECT_EQ(call({"generate", "m", "--seed", "0", "--run-dir", "a: b", "--threads=2", "--device", "cuda"})
                .flags.common.overrides(),
            (Words{"run.dir=\"a: b\"", "run.seed=0", "run.threads=2", "run.device=cuda"}));
}

}  // namespace
}  // namespace mgd
