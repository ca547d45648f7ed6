// Data sets from files: what a row holds is recognised by its keys.
//
//   .txt     one text; a line <|endoftext|> ends a document
//   .jsonl   an object a line: {text}, {prompt, completion | response}, {question, answer},
//            {instruction, input, output}, {messages: [{role, content}]}, {conversations: [{from, value}]},
//            {tokens: [ids]}; and for scoring {query, choices, gold}, {context_options, continuation, gold}
//   .json    a list of such objects
//   folder   train, valid and test, each one of these files
//
// Prompt and completion stand side by side as they are; a question is written "Question: ...\nAnswer:" and
// its answer after a space; an instruction in the prompt of Alpaca; conversations in the model's chat
// template, where a call of a tool is the assistant's and what a tool says is masked. Options of a choice are
// scored after a space.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "data/text_encoder.h"

namespace walsh {

/// `split` ("train", "valid", "test") names the file where `path` is a folder. Refuses files that are not
/// data, rows that are not as the first one (file and line), ids beyond the vocabulary, and a data set with
/// nothing to predict.
Dataset load_dataset(const std::filesystem::path& path, std::string_view split, TextEncoder& encoder);

/// One question of a multiple-choice test: the option whose trained tokens are the likeliest is the model's
/// answer.
struct ChoiceItem {
  std::vector<Document> options;
  std::vector<std::uint32_t> bytes;  // length of each option's scored text, to compare likelihoods per byte
  std::uint32_t gold = 0;
};

std::vector<ChoiceItem> load_choices(const std::filesystem::path& path, std::string_view split,
                                     const TextEncoder& encoder);

/// The file that `path` and `split` name.
std::filesystem::path dataset_file(const std::filesystem::path& path, std::string_view split);

}  // namespace walsh
