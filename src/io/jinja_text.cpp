#include "io/jinja_text.h"

#include <algorithm>

namespace walsh {

std::vector<JinjaLiteral> jinja_literals(std::string_view jinja) {
  std::vector<JinjaLiteral> literals;
  for (std::size_t at = 0; at + 1 < jinja.size();) {
    const auto opening = jinja.substr(at, 2);
    if (opening == "{#") {
      at = std::min(jinja.find("#}", at), jinja.size());
      continue;
    }
    if (opening != "{{" && opening != "{%") {
      ++at;
      continue;
    }
    const char closing = opening == "{{" ? '}' : '%';
    for (at += 2; at + 1 < jinja.size() && !(jinja[at] == closing && jinja[at + 1] == '}'); ++at) {
      const char quote = jinja[at];
      if (quote != '\'' && quote != '"') continue;
      JinjaLiteral literal;
      for (++at; at < jinja.size() && jinja[at] != quote; ++at) {
        if (jinja[at] != '\\' || at + 1 == jinja.size()) {
          literal.text += jinja[at];
          continue;
        }
        const char escaped = jinja[++at];
        literal.text += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped == 'r' ? '\r' : escaped;
      }
      literal.end = std::min(at + 1, jinja.size());
      literals.push_back(std::move(literal));
    }
  }
  return literals;
}

bool writes_line_break(std::string_view jinja, std::size_t at) {
  const auto close = jinja.find("}}", at);
  if (close == std::string_view::npos || close == 0 || jinja[close - 1] == '-') return false;
  if (close + 2 >= jinja.size() || jinja[close + 2] != '\n') return false;
  const auto next = jinja.find_first_not_of(" \t\r\n", close + 2);
  // A tag with a minus sign takes the white space before it away.
  return next == std::string_view::npos || next + 2 >= jinja.size() || jinja[next] != '{' ||
         jinja[next + 2] != '-';
}

}  // namespace walsh
