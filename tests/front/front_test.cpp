// What the front knows of the part that computes: its verbs and topics, and the environment it gives it.
#include <gtest/gtest.h>

#include "mgd/core/error.h"
#include "mgd/front/command_table.h"
#include "mgd/front/torch_program.h"

namespace mgd {
namespace {

struct Flags {
  std::int64_t top = 3;
  bool json = false;
  void visit(OptionVisitor& v) {
    v.option("top", top, {.help = "answers an input", .min = 1});
    v.option("json", json, {.help = "an object a line"});
  }
};

Verb real(Flags& flags) {
  return {.name = "predict",
          .help = "what a model says",
          .example = "mgd predict m a.png",
          .positional_name = "MODEL INPUT",
          .positional_help = "a model, then a \"picture\"",
          .positional_required = true,
          .options = [&flags](OptionVisitor& v) { flags.visit(v); },
          .run = [](const auto&) { return 0; },
          .positional_max = 2};
}

HelpTopic topic() {
  return {
      .name = "kd", .help = "softened answers", .options = describe_options<Flags>(), .parts = {{"a", "b"}}};
}

std::string error_of(const Verb& verb, std::vector<const char*> words) {
  words.insert(words.begin(), "mgd");
  try {
    run_command_line({verb}, static_cast<int>(words.size()), words.data(), {topic()});
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
}

TEST(CommandTable, ADescribedVerbHelpsAndRefusesAsTheRealOneDoes) {
  Flags flags;
  const Verb declared = real(flags);
  CommandTable table = parse_command_table(command_table_json({declared}, {topic()}));
  ASSERT_EQ(table.verbs.size(), 1U);
  Verb& described = table.verbs[0];
  described.run = [](const auto&) { return 0; };
  EXPECT_EQ(verb_help(described), verb_help(declared));
  EXPECT_EQ(topic_help(table.topics.at(0)), topic_help(topic()));
  for (const std::vector<const char*>& words :
       std::vector<std::vector<const char*>>{{"predict"},
                                             {"predict", "m", "--tpo"},
                                             {"predict", "m", "a", "b"},
                                             {"predict", "m", "--top"},
                                             {"predcit"},
                                             {"help", "kdd"},
                                             {"help", "predcit"}}) {
    EXPECT_EQ(error_of(described, words), error_of(declared, words));
    EXPECT_NE(error_of(described, words), "");
  }
  EXPECT_EQ(error_of(described, {"predict", "m", "--top", "3", "--json"}), "");
  EXPECT_EQ(error_of(declared, {"help", "kdd"}),
            "mgd help: got 'kdd', expected a verb or a topic; did you mean 'kd'?");
}

bool nothing_is_set(const char*) {
  return false;
}

TEST(TorchProgram, ThreadsWaitForAMomentUnlessTheUserSaysOtherwise) {
  const CpuShare whole{.allowed = 4}, part{.allowed = 8, .quota = 1.5};
  const auto wanted = library_environment(whole, nothing_is_set);
  EXPECT_GT(std::stol(wanted.at("GOMP_SPINCOUNT")), 0);
  EXPECT_FALSE(wanted.contains("OMP_NUM_THREADS"));
  EXPECT_EQ(library_environment(part, nothing_is_set).at("OMP_NUM_THREADS"), "2");
  const auto is = [](const char* set) {
    static std::string which;
    which = set;
    return +[](const char* name) { return which == name; };
  };
  EXPECT_FALSE(library_environment(whole, is("OMP_WAIT_POLICY")).contains("GOMP_SPINCOUNT"));
  EXPECT_FALSE(library_environment(whole, is("GOMP_SPINCOUNT")).contains("GOMP_SPINCOUNT"));
  EXPECT_FALSE(library_environment(part, is("OMP_NUM_THREADS")).contains("OMP_NUM_THREADS"));
}

}  // namespace
}  // namespace mgd
