// Reading a Jinja program without running it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace walsh {

struct JinjaLiteral {
  std::string text;     // escapes resolved
  std::size_t end = 0;  // where the program goes on after the closing quote
};

/// The string literals of the expressions and statements, in order; comments left out.
std::vector<JinjaLiteral> jinja_literals(std::string_view jinja);

/// Whether the expression that goes on at `at` is followed by a line break that is part of the output.
bool writes_line_break(std::string_view jinja, std::size_t at);

}  // namespace walsh
