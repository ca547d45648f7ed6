// Losses, logits and greedy text of real models against reference implementations: transformers in fp32 for
// the shipped model, a float64 forward for those of the shared data folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "io/tokenizer.h"
#include "tests/support/model_passes.h"
#include "tests/support/paths.h"
#include "train/generate.h"

namespace walsh::test {
namespace {

// 1e-3 relative; losses and logits near zero are held to 1e-5 of what the logits are made of.
void expect_near(double got, double expected, double scale, const std::string& what) {
  EXPECT_NEAR(got, expected, 1e-3 * std::abs(expected) + 1e-5 * scale) << what;
}

struct Case {
  std::vector<std::uint32_t> ids, top_ids, greedy_ids;
  std::vector<double> losses, top_logits;
  double loss = 0;
};

void expect_golden(const WeightSource& source, const std::vector<Case>& cases) {
  DeviceModel model(source);
  Generator generator(device(), model.session(), std::min(source.config().context, 512u), 64);
  const std::size_t vocabulary = source.config().vocabulary_size;
  for (const Case& c : cases) {
    const auto result = model.forward(Sequences({c.ids}));
    const double scale = std::abs(c.top_logits.at(0));
    ASSERT_EQ(c.losses.size() + 1, c.ids.size());
    for (std::size_t i = 0; i < c.losses.size(); ++i)
      expect_near(result.losses[i], c.losses[i], scale, "loss of token " + std::to_string(i + 1));
    expect_near(result.loss, c.loss, scale, "mean loss");
    const float* last = result.logits.data() + (c.ids.size() - 1) * vocabulary;
    for (std::size_t i = 0; i < c.top_ids.size(); ++i)
      expect_near(last[c.top_ids[i]], c.top_logits[i], scale,
                  "logit of token " + std::to_string(c.top_ids[i]));
    const std::span greedy(c.greedy_ids.data(), std::min<std::size_t>(c.greedy_ids.size(), 12));
    const auto text =
        generator.run(c.ids, {.max_tokens = static_cast<std::uint32_t>(greedy.size()), .temperature = 0}, {});
    EXPECT_TRUE(std::equal(text.begin(), text.end(), greedy.begin(), greedy.end()));
  }
}

TEST(Golden, TheShippedModelAgreesWithTransformers) {
  const auto folder = source_dir() / "models/walsh-tiny";
  const Json golden = read_json(source_dir() / "tests/goldens/walsh-tiny.json");
  const Tokenizer tokenizer = Tokenizer::load(folder);
  std::vector<Case> cases;
  for (const Json& json : golden.at("cases")) {
    cases.push_back({json.at("ids"), json.at("top_ids"), json.at("greedy_ids"), json.at("token_losses"),
                     json.at("top_logits"), json.at("loss")});
    EXPECT_EQ(tokenizer.encode(json.at("text").get<std::string>()), cases.back().ids);
    EXPECT_EQ(tokenizer.decode(cases.back().greedy_ids), json.at("greedy_text").get<std::string>());
  }
  ASSERT_FALSE(cases.empty());
  expect_golden(*open_model(folder), cases);
}

class SharedGolden : public testing::TestWithParam<const char*> {};

TEST_P(SharedGolden, AgreesWithAFloat64Forward) {
  const auto folder = shared_data() / "models" / GetParam();
  WALSH_NEEDS(folder);
  std::vector<Case> cases;
  const Json golden = read_json(folder / "golden.json");
  for (const Json& json : golden.at("cases")) {
    cases.push_back({json.at("ids"), json.at("last_top8_ids"), json.at("greedy_new_ids"),
                     json.at("next_token_nll"), json.at("last_top8_logits"), json.at("mean_nll")});
  }
  ASSERT_FALSE(cases.empty());
  expect_golden(*open_model(folder), cases);
}

INSTANTIATE_TEST_SUITE_P(Models, SharedGolden,
                         testing::Values("stories260K", "stories260K-f16", "stories260K-bf16",
                                         "stories260K-sharded", "tiny-llama3", "tiny-qwen3"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace walsh::test
