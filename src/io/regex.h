// Regular expressions of tokenizer files, run by PCRE2 with Unicode classes. The files are written for
// Oniguruma's Ruby syntax; where the two differ (`^` and `$` meet every line, `&&` intersects classes) the
// pattern is compiled to mean the same or refused.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;

namespace walsh {

struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const ByteRange&) const = default;
};

class Regex {
 public:
  enum class Syntax { pattern, literal };

  /// `source` names the file in complaints.
  Regex(std::string_view pattern, Syntax syntax, std::string source);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// The matches in well-formed text, from left to right. Refuses a pattern that takes too many steps.
  std::vector<ByteRange> matches(std::string_view text) const;
  std::string replace(std::string_view text, std::string_view with) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
  std::string pattern_;  // for messages
  std::string source_;
};

/// {"String": literal} or {"Regex": pattern}, as tokenizer.json writes them.
Regex regex_from_json(const nlohmann::json& pattern, const std::string& source);

}  // namespace walsh
