#include <algorithm>

#include "api/device.h"
#include "base/error.h"
#include "data/datasets.h"
#include "train/evaluate.h"
#include "train/generate.h"
#include "train/opened_model.h"

namespace walsh {
namespace {

constexpr std::uint32_t prompt_chunk = 64;

}  // namespace

struct Model::Impl {
  vk::Device& device;
  std::string folder;
  std::uint32_t tokens;  // of a pass
  OpenedModel opened;
  TextEncoder encoder;
  std::unique_ptr<Session> session;
};

Model::Model(Device& device, const std::string& folder, const std::string& adapter,
             std::uint32_t tokens_a_pass) {
  require(tokens_a_pass >= 1 && tokens_a_pass <= 1u << 20, "tokens a pass: found {}, expected 1 to {}",
          tokens_a_pass, 1u << 20);
  OpenedModel opened(folder, adapter, std::nullopt);
  TextEncoder encoder(folder, opened.config().vocabulary_size);
  vk::Device& gpu = device.impl_->device;
  auto session = opened.load(gpu, tokens_a_pass);
  impl_.reset(
      new Impl{gpu, folder, tokens_a_pass, std::move(opened), std::move(encoder), std::move(session)});
}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model::Score Model::evaluate(const std::string& data, std::uint32_t sequence_length,
                             const std::string& split) {
  const std::uint32_t length = sequence_length > 0 ? sequence_length : std::min(context(), impl_->tokens);
  require(length <= context(), "sequence length: found {}, the model's context is {}", length, context());
  require(length <= impl_->tokens, "sequence length: found {}, the model was loaded for passes of {} tokens",
          length, impl_->tokens);
  const Dataset dataset = load_dataset(data, split, impl_->encoder);
  // Windows no longer than the longest document and no more than there are: the rest of a pass would be
  // padding.
  std::size_t longest = 1, windows = 0;
  for (const Document& document : dataset.documents) longest = std::max(longest, document.ids.size());
  const auto window = static_cast<std::uint32_t>(std::min<std::size_t>(length, longest));
  for (const Document& document : dataset.documents) windows += (document.ids.size() + window - 1) / window;
  const auto batch =
      static_cast<std::uint32_t>(std::clamp<std::size_t>(windows, 1, std::max(1u, impl_->tokens / window)));
  Evaluator evaluator(impl_->device, *impl_->session, batch, window);
  const Evaluation result = evaluator.run(dataset);
  return {result.loss, result.perplexity(), result.tokens};
}

std::string Model::generate(const std::string& prompt, const Sampling& sampling) {
  const Tokenizer& tokenizer = impl_->encoder.tokenizer();
  std::vector<std::uint32_t> ids = tokenizer.encode(prompt);
  if (tokenizer.adds_bos() && tokenizer.bos_id()) ids.insert(ids.begin(), *tokenizer.bos_id());
  require(!ids.empty(), "the prompt is empty; give some text");
  require(ids.size() < context(), "the prompt has {} tokens, the model's context holds {}; shorten it",
          ids.size(), context());
  const auto length =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(context(), ids.size() + sampling.tokens + 1ull));
  Generator generator(impl_->device, *impl_->session, length, std::min(prompt_chunk, impl_->tokens));
  const SampleOptions options{.max_tokens = sampling.tokens,
                              .temperature = sampling.temperature,
                              .top_k = sampling.top_k,
                              .top_p = sampling.top_p,
                              .seed = sampling.seed};
  return tokenizer.decode(generator.run(ids, options, tokenizer.end_ids()));
}

std::string Model::generate(const std::string& prompt) { return generate(prompt, Sampling()); }

std::uint32_t Model::context() const { return impl_->opened.config().context; }

}  // namespace walsh
