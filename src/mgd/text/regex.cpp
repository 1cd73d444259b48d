#define PCRE2_CODE_UNIT_WIDTH 8
#include "mgd/text/regex.h"

#include <pcre2.h>

#include <cctype>

#include "mgd/core/error.h"
#include "mgd/text/utf8.h"

namespace mgd {

namespace {

// Steps of one match. The patterns of real tokenizers need one or two a character of a word.
constexpr std::uint32_t kMatchLimit = 5'000'000;
constexpr std::uint32_t kHeapLimitKiB = 65'536;
constexpr std::size_t kJitStackBytes = 1 << 20;
constexpr std::size_t kMaxPatternBytes = 1 << 16;

template <auto F>
struct Free {
  template <class T>
  void operator()(T* p) const {
    F(p);
  }
};
using CompileContext = std::unique_ptr<pcre2_compile_context, Free<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Free<pcre2_jit_stack_free>>;

PCRE2_SPTR units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

std::string message_of(int error) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Regex::Code {
  std::unique_ptr<pcre2_code, Free<pcre2_code_free>> compiled;
  MatchContext limits;

  // Compiled patterns run in 32 KiB of the machine's stack; one that needs more gets a stack of its own.
  int match(std::string_view text, std::size_t from, pcre2_match_data* data) const {
    const auto run = [&](pcre2_match_context* context) {
      return pcre2_match(compiled.get(), units(text), text.size(), from, PCRE2_NO_UTF_CHECK, data, context);
    };
    const int found = run(limits.get());
    if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    const JitStack stack(pcre2_jit_stack_create(64 << 10, kJitStackBytes, nullptr));
    const MatchContext context(pcre2_match_context_copy(limits.get()));
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    return run(context.get());
  }
};

Regex::Regex(std::shared_ptr<const Code> code, std::string place)
    : code_(std::move(code)), place_(std::move(place)) {}

Regex::Regex(std::string_view pattern, const std::string& place) : place_(place) {
  if (pattern.size() > kMaxPatternBytes)
    fail(ExitCode::bad_data, "{}: got a pattern of {} bytes, expected at most {}", place, pattern.size(),
         kMaxPatternBytes);
  const std::string translated = translate_pattern(pattern, place);
  const CompileContext context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  std::size_t at = 0;
  auto code = std::make_shared<Code>();
  code->compiled.reset(pcre2_compile(units(translated), translated.size(), PCRE2_UTF | PCRE2_MULTILINE,
                                     &error, &at, context.get()));
  if (!code->compiled)
    fail(ExitCode::bad_data, "{}: the pattern '{}' is refused: {}", place, printable(pattern),
         message_of(error));
  // Without a just-in-time compiler for this machine the pattern is interpreted: slower, the same result.
  pcre2_jit_compile(code->compiled.get(), PCRE2_JIT_COMPLETE);
  code->limits.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(code->limits.get(), kMatchLimit);
  pcre2_set_heap_limit(code->limits.get(), kHeapLimitKiB);
  code_ = std::move(code);
}

Regex Regex::literal(std::string_view text, const std::string& place) {
  if (text.empty()) return Regex(std::shared_ptr<const Code>(), place);
  std::string pattern;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && !std::isalnum(static_cast<unsigned char>(c)) && c > ' ')
      pattern += '\\';
    pattern += c;
  }
  return Regex(pattern, place);
}

void Regex::find_all(std::string_view text, std::vector<Match>& out) const {
  out.clear();
  if (text.empty()) return;
  if (!code_) {
    out.push_back({0, text.size(), false});
    return;
  }
  const MatchData data(pcre2_match_data_create_from_pattern(code_->compiled.get(), nullptr));
  std::size_t previous_end = 0, from = 0;
  bool any = false;
  while (from <= text.size()) {
    const int found = code_->match(text, from, data.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      fail(ExitCode::bad_data,
           "{}: the pattern cannot be matched: {}; expected one that needs at most {} steps", place_,
           message_of(found), kMatchLimit);
    const std::size_t* const span = pcre2_get_ovector_pointer(data.get());
    // An empty match right behind the last one is no match: the search goes on one character later.
    if (span[0] >= span[1] && any && span[1] == previous_end) {
      if (from == text.size()) break;
      next_code_point(text, from);
      continue;
    }
    if (previous_end < span[0]) out.push_back({previous_end, span[0], false});
    out.push_back({span[0], span[1], true});
    previous_end = from = span[1];
    any = true;
  }
  if (previous_end < text.size()) out.push_back({previous_end, text.size(), false});
}

}  // namespace mgd
