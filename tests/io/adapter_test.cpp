#include "io/adapter.h"

#include <functional>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "io/safetensors.h"
#include "tests/support/scratch.h"

namespace walsh::test {
namespace {

QuantizedMatrix small_base() {
  return {.rows = 3,
          .columns = 24,
          .bits = 4,
          .group_size = 8,
          .symmetric = false,
          .codes = {1, 2, 3, 4, 5, 6, 7, 8, 9},
          .grid = std::vector<std::uint32_t>(9, grid_word(0x3c00, 7))};
}

AdapterLayer small_layer(const std::string& name) {
  return {.name = name,
          .rows = 3,
          .columns = 24,
          .bases = {12},
          .m2 = 2,
          .base = fingerprint(small_base()),
          .row_ptr = {0, 2, 2, 5},
          .col = {0, 23, 3, 4, 5},
          .values = {0.5f, -1.0f, 1e-30f, 0.0f, 2.0f}};
}

Adapter small_adapter() {
  return {
      .rank = 1, .scale = 4000, .bits = 4, .group_size = 8, .layers = {small_layer("a"), small_layer("b")}};
}

std::string write_refusal(const std::filesystem::path& folder,
                          const std::function<void(AdapterLayer&)>& change) {
  Adapter adapter = small_adapter();
  change(adapter.layers[0]);
  return refusal_of([&] { write_adapter(folder, adapter); });
}

/// The same fault in the files: tensors of the changed layer beside the config of a sound one.
std::string read_refusal(const std::filesystem::path& folder,
                         const std::function<void(AdapterLayer&)>& change) {
  Adapter adapter = small_adapter();
  adapter.layers.resize(1);
  write_adapter(folder, adapter);
  AdapterLayer& layer = adapter.layers[0];
  change(layer);
  const NamedTensor tensors[] = {
      {"a.row_ptr", DType::u32, {layer.row_ptr.size()}, std::as_bytes(std::span(layer.row_ptr))},
      {"a.col", DType::u16, {layer.col.size()}, std::as_bytes(std::span(layer.col))},
      {"a.values", DType::f32, {layer.values.size()}, std::as_bytes(std::span(layer.values))}};
  write_safetensors(folder / "adapter_model.safetensors", tensors);
  return refusal_of([&] { read_adapter(folder); });
}

std::string config_refusal(const std::filesystem::path& folder, const std::function<void(Json&)>& change) {
  write_adapter(folder, small_adapter());
  Json json = read_json(folder / "adapter_config.json");
  change(json);
  write_file(folder / "adapter_config.json", json.dump());
  return refusal_of([&] { read_adapter(folder); });
}

}  // namespace

TEST(adapter, round_trip) {
  const ScratchFolder folder;
  const Adapter written = small_adapter();
  write_adapter(folder.path(), written);
  const Adapter read = read_adapter(folder.path());
  EXPECT_EQ(read.rank, 1u);
  EXPECT_EQ(read.scale, 4000.0);
  EXPECT_EQ(read.bits, 4u);
  EXPECT_EQ(read.group_size, 8u);
  ASSERT_EQ(read.layers.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.layers[i].name, written.layers[i].name);
    EXPECT_EQ(read.layers[i].bases, written.layers[i].bases);
    EXPECT_EQ(read.layers[i].m2, 2u);
    EXPECT_EQ(read.layers[i].row_ptr, written.layers[i].row_ptr);
    EXPECT_EQ(read.layers[i].col, written.layers[i].col);
    EXPECT_EQ(read.layers[i].values, written.layers[i].values);
    EXPECT_EQ(refusal_of([&] { require_base(read.layers[i], small_base(), "run/adapter"); }), "");
  }
}

TEST(adapter, is_refused_on_another_base) {
  const AdapterLayer layer = small_layer("a");
  const auto refusal = [&](const std::function<void(QuantizedMatrix&)>& change) {
    QuantizedMatrix base = small_base();
    change(base);
    return refusal_of([&] { require_base(layer, base, "run/adapter"); });
  };
  EXPECT_EQ(refusal([](QuantizedMatrix&) {}), "");
  EXPECT_TRUE(one_line_with(refusal([](QuantizedMatrix& q) { q.codes[8] ^= 1u << 31; }), "another base"));
  EXPECT_TRUE(one_line_with(refusal([](QuantizedMatrix& q) { q.grid[4] += 1; }), "another base"));
  EXPECT_TRUE(one_line_with(refusal([](QuantizedMatrix& q) { q.bits = 8; }), "another base"));
  EXPECT_TRUE(one_line_with(refusal([](QuantizedMatrix& q) { q.group_size = 24; }), "another base"));
  EXPECT_TRUE(one_line_with(refusal([](QuantizedMatrix& q) { q.rows = 4; }), "4 x 24 in the base"));
}

TEST(adapter, refuses_malformed_rows) {
  const ScratchFolder folder;
  const auto both = [&](const std::function<void(AdapterLayer&)>& change, const char* part) {
    EXPECT_TRUE(one_line_with(read_refusal(folder.path(), change), part));
    EXPECT_TRUE(one_line_with(write_refusal(folder.path(), change), part));
  };
  both([](AdapterLayer& l) { l.row_ptr = {0, 3, 2, 5}; }, "row 1 ends before it begins");
  both([](AdapterLayer& l) { l.row_ptr = {0, 4000000000u, 2, 5}; }, "row 1 ends before it begins");
  both([](AdapterLayer& l) { l.row_ptr = {1, 2, 2, 5}; }, "do not fit 3 rows");
  both([](AdapterLayer& l) { l.row_ptr = {0, 2, 2, 4}; }, "do not fit 3 rows");
  both([](AdapterLayer& l) { l.row_ptr = {0, 2, 5}; }, "do not fit 3 rows");
  both([](AdapterLayer& l) { l.row_ptr.clear(); }, "do not fit 3 rows");
  both([](AdapterLayer& l) { l.values.pop_back(); }, "do not fit 3 rows");
  both([](AdapterLayer& l) { l.col[1] = 24; }, "column 24 in row 0");
  both([](AdapterLayer& l) { l.col[3] = 3; }, "row 2 do not ascend");
  both([](AdapterLayer& l) { l.values[0] = std::numeric_limits<float>::quiet_NaN(); }, "not a finite number");
}

TEST(adapter, refuses_malformed_configs) {
  const ScratchFolder folder;
  const auto expect = [&](const char* part, const std::function<void(Json&)>& change) {
    EXPECT_TRUE(one_line_with(config_refusal(folder.path(), change), part));
  };
  EXPECT_EQ(config_refusal(folder.path(), [](Json&) {}), "");
  expect("format", [](Json& j) { j.erase("format"); });
  expect("another tool", [](Json& j) { j["format"] = "peft"; });
  expect("version", [](Json& j) { j["version"] = 2; });
  expect("transform", [](Json& j) { j["transform"] = "sequency"; });
  expect("scale", [](Json& j) { j["scale"] = 0; });
  expect("rank", [](Json& j) { j["rank"] = -1; });
  expect("layers", [](Json& j) { j["layers"] = Json::object(); });
  expect("object", [](Json& j) { j = Json::array(); });
  expect("not an object", [](Json& j) { j["layers"]["a"] = 1; });
  expect("columns", [](Json& j) { j["layers"]["a"]["columns"] = 65537; });
  expect("do not give the width 24", [](Json& j) { j["layers"]["a"]["m2"] = 4; });
  expect("do not give the width 24", [](Json& j) { j["layers"]["a"]["m2"] = 3; });
  expect("do not give the width 24", [](Json& j) {
    j["layers"]["a"]["bases"] = {65536, 65536, 65536, 65536, 12};
  });
  expect("bases", [](Json& j) { j["layers"]["a"]["bases"] = "12"; });
  expect("a Hadamard base of -12", [](Json& j) { j["layers"]["a"]["bases"] = {-12}; });
  expect("do not fit 2 rows", [](Json& j) { j["layers"]["a"]["rows"] = 2; });
  expect("c.values is missing", [](Json& j) { j["layers"]["c"] = j["layers"]["a"]; });
  expect("6 tensors", [](Json& j) { j["layers"].erase("b"); });
}

}  // namespace walsh::test
