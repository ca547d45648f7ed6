#include "base/json.h"

#include "tests/support/scratch.h"

namespace walsh::test {

TEST(json, refuses_what_cannot_be_parsed) {
  const auto refusal = [](const std::string& text) {
    return refusal_of([&] { parse_json(text, "x.json"); });
  };
  EXPECT_EQ(refusal(R"({"a": [1, "]]]]", {"b": "\"[["}]})"), "");
  EXPECT_TRUE(one_line_with(refusal("{\"a\": }"), "x.json: not valid JSON (stops at byte 7)"));
  EXPECT_TRUE(one_line_with(refusal(""), "not valid JSON"));
  EXPECT_TRUE(one_line_with(refusal("\"\xff\""), "not valid JSON"));
  EXPECT_TRUE(one_line_with(refusal("[1e999]"), "a number is out of range"));
  EXPECT_EQ(refusal(std::string(200, '[') + std::string(200, ']')), "");
  EXPECT_TRUE(
      one_line_with(refusal(std::string(201, '[') + std::string(201, ']')), "nested deeper than 200"));
  EXPECT_TRUE(one_line_with(refusal(std::string(5'000'000, '[')), "nested"));
}

TEST(json, keys) {
  const Json json = parse_json(R"({"n": 3, "s": "x", "null": null})", "x.json");
  EXPECT_EQ(json_at<int>(json, "n", "x.json"), 3);
  EXPECT_EQ(json_or<int>(json, "null", 7, "x.json"), 7);
  EXPECT_EQ(json_or<int>(json, "absent", 7, "x.json"), 7);
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { json_at<int>(json, "absent", "x.json"); }), "\"absent\" is missing"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { json_at<int>(json, "s", "x.json"); }), "unexpected value"));
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { json_at<int>(json["n"], "n", "x.json"); }), "expected a JSON object"));
}

}  // namespace walsh::test
