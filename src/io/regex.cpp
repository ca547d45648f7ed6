#include "io/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <utility>

#include "base/json.h"
#include "io/utf8.h"

namespace walsh {
namespace {

// Far above what an honest pattern needs on a megabyte, and a few seconds of work at most.
constexpr std::uint32_t match_limit = 50'000'000;

std::string message(int error) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

void Regex::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Regex::Regex(std::string_view pattern, Syntax syntax, std::string source)
    : pattern_(in_quotes(pattern)), source_(std::move(source)) {
  require(pattern.find("&&") == std::string_view::npos || syntax == Syntax::literal,
          "{}: pattern {} intersects character classes (&&), which is not supported", source_, pattern_);
  const std::uint32_t options =
      PCRE2_UTF |
      (syntax == Syntax::literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
  int error = 0;
  PCRE2_SIZE offset = 0;
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_max_pattern_length(context.get(), 1 << 16);
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error,
                            &offset, context.get()));
  require(code_ != nullptr, "{}: pattern {} is not understood at byte {} ({})", source_, pattern_, offset,
          message(error));
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // without a JIT the interpreter does the same, slower
}

Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

std::vector<ByteRange> Regex::matches(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  pcre2_set_match_limit(context.get(), match_limit);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::vector<ByteRange> found;
  std::size_t at = 0;
  while (at <= text.size()) {
    // The text is well-formed already; checking it again at every match would be quadratic.
    int status =
        pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK, data.get(), context.get());
    if (status == PCRE2_ERROR_JIT_STACKLIMIT) {
      status = pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                           data.get(), context.get());
    }
    if (status == PCRE2_ERROR_NOMATCH) break;
    require(status >= 0, "{}: pattern {} cannot be matched on this text ({})", source_, pattern_,
            message(status));
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    // \K in a look-around can put the beginning behind the end or before what was matched already.
    require(ends[0] >= at && ends[1] >= ends[0],
            "{}: pattern {} moves its own beginning, which is not supported", source_, pattern_);
    found.push_back({ends[0], ends[1]});
    at = ends[1];
    if (ends[0] == ends[1]) at += at < text.size() ? character_at(text, at).length : 1;
  }
  return found;
}

std::string Regex::replace(std::string_view text, std::string_view with) const {
  std::string out;
  out.reserve(text.size());
  std::size_t done = 0;
  for (const ByteRange match : matches(text)) {
    out.append(text, done, match.begin - done);
    out.append(with);
    done = match.end;
  }
  out.append(text, done);
  return out;
}

Regex regex_from_json(const Json& pattern, const std::string& source) {
  require(pattern.is_object() && pattern.size() == 1 && pattern.begin()->is_string() &&
              (pattern.contains("String") || pattern.contains("Regex")),
          "{}: \"pattern\" must be {{\"String\": ...}} or {{\"Regex\": ...}}", source);
  const auto syntax = pattern.contains("Regex") ? Regex::Syntax::pattern : Regex::Syntax::literal;
  return {pattern.begin()->get_ref<const std::string&>(), syntax, source};
}

}  // namespace walsh
