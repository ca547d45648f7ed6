// Runs the tests; under WALSH_VALIDATION=1 a message of the validation layer fails the test that caused it.
#include <gtest/gtest.h>

#include "vk/instance.h"

namespace {

class ValidationListener : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { seen_ = walsh::vk::validation_messages().size(); }
  void OnTestEnd(const testing::TestInfo&) override {
    const auto messages = walsh::vk::validation_messages();
    if (messages.size() > seen_)
      ADD_FAILURE() << messages.size() - seen_ << " validation messages, the first: " << messages[seen_];
  }
  std::size_t seen_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new ValidationListener);
  return RUN_ALL_TESTS();
}
