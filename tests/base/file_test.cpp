#include "base/file.h"

#include "tests/support/scratch.h"

namespace walsh::test {

TEST(file, is_replaced_when_whole) {
  const ScratchFolder folder;
  write_file(folder / "x", "old text");
  {
    FileWriter writer(folder / "x");
    writer.write_at(4, std::as_bytes(std::span("text", 4)));
    writer.write_at(0, std::as_bytes(std::span("new ", 4)));
    EXPECT_EQ(read_text(folder / "x"), "old text");
    writer.publish();
    EXPECT_EQ(read_text(folder / "x"), "new text");
  }
  {
    FileWriter abandoned(folder / "x");
    abandoned.write_at(0, std::as_bytes(std::span("lost", 4)));
  }
  EXPECT_EQ(read_text(folder / "x"), "new text");
  EXPECT_FALSE(std::filesystem::exists(folder / "x.partial"));
}

TEST(file, refusals) {
  const ScratchFolder folder;
  EXPECT_TRUE(one_line_with(refusal_of([&] { read_text(folder / "none"); }), "none: cannot be read"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { read_text(folder.path()); }), "a folder"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { MappedFile file(folder.path()); }), "not a regular file"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { write_file(folder / "none/x", "text"); }), "cannot be written"));
  write_file(folder / "empty", "");
  EXPECT_TRUE(MappedFile(folder / "empty").bytes().empty());
}

TEST(file, staged_folder_appears_whole_or_not_at_all) {
  const ScratchFolder folder;
  {
    StagedFolder staged(folder / "run");
    write_file(staged.path() / "x", "text");
    EXPECT_FALSE(std::filesystem::exists(folder / "run"));
    staged.publish();
  }
  EXPECT_EQ(read_text(folder / "run/x"), "text");
  { StagedFolder abandoned(folder / "other"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "run") == false &&
              !std::filesystem::exists(folder / "other"));
  StagedFolder again(folder / "run");
  EXPECT_TRUE(one_line_with(refusal_of([&] { again.publish(); }), "exists already"));
}

}  // namespace walsh::test
