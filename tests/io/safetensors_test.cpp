#include "io/safetensors.h"

#include <numeric>

#include "base/half.h"
#include "tests/support/paths.h"
#include "tests/support/scratch.h"

namespace walsh::test {
namespace {

/// A file of this header and `data_bytes` zero bytes; `length` overrides the header's length.
void write_raw(const std::filesystem::path& path, const std::string& header, std::size_t data_bytes,
               std::uint64_t length) {
  std::string text(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(length >> (8 * i));
  write_file(path, text + header + std::string(data_bytes, '\0'));
}

std::string refusal(const std::filesystem::path& path, const std::string& header, std::size_t data_bytes) {
  write_raw(path, header, data_bytes, header.size());
  return refusal_of([&] { Safetensors::open(path); });
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}";
}

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace

TEST(safetensors, written_tensors_come_back) {
  const ScratchFolder folder;
  const std::vector<float> weights = {1, -2.5f, 0, 3e30f, 1e-40f, -0.0f};
  const std::vector<std::uint8_t> odd = {1, 2, 3};
  const std::vector<std::int32_t> indices = {-1, 7};
  const NamedTensor tensors[] = {{"b.odd", DType::u8, {3}, bytes_of(odd)},
                                 {"a.weight", DType::f32, {2, 3}, bytes_of(weights)},
                                 {"c.index", DType::i32, {2}, bytes_of(indices)},
                                 {"d.none", DType::f32, {0, 4}, {}}};
  write_safetensors(folder / "x.safetensors", tensors, {{"format", "pt"}});
  write_safetensors(folder / "y.safetensors", tensors, {{"format", "pt"}});
  EXPECT_EQ(read_text(folder / "x.safetensors"), read_text(folder / "y.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder / "x.safetensors.partial"));

  const Safetensors file = Safetensors::open(folder / "x.safetensors");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"a.weight", "b.odd", "c.index", "d.none"}));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(to_floats(file.at("a.weight")), weights);
  EXPECT_EQ(to_floats(file.at("a.weight"), 1, 1), (std::vector<float>{3e30f, 1e-40f, -0.0f}));
  EXPECT_EQ(to_values<std::uint8_t>(file.at("b.odd"), DType::u8), odd);
  EXPECT_EQ(to_values<std::int32_t>(file.at("c.index"), DType::i32), indices);
  EXPECT_TRUE(to_floats(file.at("d.none")).empty());
  // Wide elements come first, so the three bytes shift nobody off alignment; the header ends on eight bytes.
  for (const char* name : {"a.weight", "c.index"})
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.at(name).bytes.data()) % 4, 0u) << name;
}

TEST(safetensors, writer_takes_pieces_in_any_order) {
  const ScratchFolder folder;
  std::vector<float> a(100), b(50);
  std::iota(a.begin(), a.end(), 0.0f);
  std::iota(b.begin(), b.end(), 1000.0f);
  {
    SafetensorsWriter writer(folder / "x.safetensors", {{"a", DType::f32, {100}}, {"b", DType::f32, {50}}},
                             {});
    writer.append("b", bytes_of(b).first(13));
    writer.append("a", bytes_of(a));
    EXPECT_THROW(writer.publish(), Failure);
    EXPECT_THROW(writer.append("b", bytes_of(b)), Failure);
    EXPECT_THROW(writer.append("c", {}), Failure);
    writer.append("b", bytes_of(b).subspan(13));
    writer.publish();
  }
  const Safetensors file = Safetensors::open(folder / "x.safetensors");
  EXPECT_EQ(to_floats(file.at("a")), a);
  EXPECT_EQ(to_floats(file.at("b")), b);
  { SafetensorsWriter abandoned(folder / "y.safetensors", {{"a", DType::f32, {1}}}, {}); }
  EXPECT_FALSE(std::filesystem::exists(folder / "y.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder / "y.safetensors.partial"));
}

TEST(safetensors, halves_at_odd_addresses) {
  const ScratchFolder folder;
  const std::string header = "{" + entry("pad", "U8", "[1]", "[0,1]") + "," +
                             entry("h", "F16", "[2]", "[1,5]") + "," + entry("b", "BF16", "[1]", "[5,7]") +
                             "," + entry("f", "F32", "[1]", "[7,11]") + "}";
  std::string data(11, '\0');
  const std::uint16_t halves[] = {float_to_f16(1.5f), float_to_f16(-0.25f)};
  const std::uint16_t brain = float_to_bf16(3.0f);
  const float single = 0.1f;
  std::memcpy(data.data() + 1, halves, 4);
  std::memcpy(data.data() + 5, &brain, 2);
  std::memcpy(data.data() + 7, &single, 4);
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size());
  length[1] = static_cast<char>(header.size() >> 8);
  write_file(folder / "x.safetensors", length + header + data);
  const Safetensors file = Safetensors::open(folder / "x.safetensors");
  EXPECT_EQ(to_floats(file.at("h")), (std::vector<float>{1.5f, -0.25f}));
  EXPECT_EQ(to_floats(file.at("b")), (std::vector<float>{3.0f}));
  EXPECT_EQ(to_floats(file.at("f")), (std::vector<float>{0.1f}));
}

TEST(safetensors, refuses_malformed_files) {
  const ScratchFolder folder;
  const auto file = folder / "x.safetensors";
  const auto a = [](const char* dtype, const char* shape, const char* offsets) {
    return "{" + entry("a", dtype, shape, offsets) + "}";
  };
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { Safetensors::open(folder / "none.safetensors"); }), "cannot be read"));
  write_file(file, "short");
  EXPECT_TRUE(one_line_with(refusal_of([&] { Safetensors::open(file); }), "too few"));
  write_raw(file, "{}", 0, 1000);
  EXPECT_TRUE(one_line_with(refusal_of([&] { Safetensors::open(file); }), "ends beyond the file"));
  write_raw(file, "{}", 0, ~0ull);
  EXPECT_TRUE(one_line_with(refusal_of([&] { Safetensors::open(file); }), "not plausible"));
  EXPECT_TRUE(one_line_with(refusal(file, "{\"a\":", 0), "not valid JSON"));
  EXPECT_TRUE(one_line_with(refusal(file, "{\"a\": 1e999}", 0), "not valid JSON"));
  EXPECT_TRUE(one_line_with(refusal(file, "[1]", 0), "not a JSON object"));
  EXPECT_TRUE(one_line_with(refusal(file, std::string(100000, '['), 0), "nested"));
  EXPECT_TRUE(one_line_with(refusal(file, "{\"a\": 3}", 0), "not an object"));
  EXPECT_TRUE(one_line_with(refusal(file, "{\"a\": {}}", 0), "dtype"));
  EXPECT_TRUE(one_line_with(refusal(file, "{\"__metadata__\": 3}", 0), "__metadata__"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F8_E4M3", "[4]", "[0,4]"), 4), "F8_E4M3"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[2]", "[0,8]"), 4), "truncated"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[2]", "[8,0]"), 8), "begin and an end"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[2]", "[0]"), 8), "begin and an end"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[2]", "[0,-1]"), 8), "data_offsets"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[3]", "[0,8]"), 8), "do not hold"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[-2]", "[0,8]"), 8), "shape"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "\"2\"", "[0,8]"), 8), "shape"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[4294967296,4294967296]", "[0,0]"), 0), "do not hold"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[4611686018427387904]", "[0,0]"), 0), "do not hold"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[2]", "[0,8]"), 12), "after the last tensor"));
  EXPECT_TRUE(one_line_with(refusal(file, a("F32", "[2]", "[4,12]"), 12), "gap"));
  EXPECT_TRUE(one_line_with(
      refusal(file, "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[4,12]") + "}",
              12),
      "overlaps"));
  EXPECT_TRUE(one_line_with(
      refusal(file, "{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("a", "F32", "[1]", "[0,4]") + "}",
              4),
      "twice"));
}

TEST(safetensors, a_file_cut_anywhere_is_refused) {
  const ScratchFolder folder;
  const std::vector<float> values = {1, 2, 3};
  const NamedTensor tensors[] = {{"a", DType::f32, {3}, bytes_of(values)}};
  write_safetensors(folder / "x.safetensors", tensors);
  const std::string whole = read_text(folder / "x.safetensors");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(folder / "cut.safetensors", std::string_view(whole).substr(0, size));
    EXPECT_NE(refusal_of([&] { Safetensors::open(folder / "cut.safetensors"); }), "") << size;
  }
}

TEST(safetensors, refuses_wrong_uses) {
  const ScratchFolder folder;
  const std::vector<float> values = {1, 2, 3, 4};
  const std::vector<std::int32_t> integers = {1};
  const NamedTensor tensors[] = {{"a", DType::f32, {2, 2}, bytes_of(values)},
                                 {"i", DType::i32, {1}, bytes_of(integers)}};
  write_safetensors(folder / "x.safetensors", tensors);
  const Safetensors file = Safetensors::open(folder / "x.safetensors");
  const std::string missing = refusal_of([&] { file.at("b"); });
  EXPECT_TRUE(one_line_with(missing, "x.safetensors"));
  EXPECT_TRUE(one_line_with(missing, "tensor b is missing"));
  EXPECT_EQ(file.find("b"), nullptr);
  EXPECT_TRUE(one_line_with(refusal_of([&] { to_floats(file.at("i")); }), "type i32"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { to_floats(file.at("a"), 1, 2); }), "rows"));
  EXPECT_TRUE(
      one_line_with(refusal_of([&] { to_values<std::uint32_t>(file.at("i"), DType::u32); }), "type i32"));
  EXPECT_TRUE(one_line_with(refusal_of([&] { require_shape(file.at("a"), std::vector<std::uint64_t>{4}); }),
                            "shape 2 x 2, expected 4"));
}

TEST(safetensors, shards) {
  const ScratchFolder folder;
  EXPECT_TRUE(one_line_with(refusal_of([&] { Safetensors::open(folder.path()); }), "neither"));
  const std::vector<float> one = {1}, two = {2};
  const NamedTensor first[] = {{"a", DType::f32, {1}, bytes_of(one)}};
  const NamedTensor second[] = {{"b", DType::f32, {1}, bytes_of(two)}};
  write_safetensors(folder / "1.safetensors", first);
  write_safetensors(folder / "2.safetensors", second);
  const auto refusal_with_index = [&](const std::string& map) {
    write_file(folder / "model.safetensors.index.json", "{\"weight_map\": " + map + "}");
    return refusal_of([&] { Safetensors::open(folder.path()); });
  };
  EXPECT_EQ(refusal_with_index(R"({"a": "1.safetensors", "b": "2.safetensors"})"), "");
  const Safetensors model = Safetensors::open(folder.path());
  EXPECT_EQ(to_floats(model.at("a")), one);
  EXPECT_EQ(to_floats(model.at("b")), two);
  EXPECT_TRUE(one_line_with(refusal_with_index(R"({"a": "1.safetensors", "b": "3.safetensors"})"),
                            "3.safetensors is missing"));
  EXPECT_TRUE(
      one_line_with(refusal_with_index(R"({"a": "1.safetensors", "c": "2.safetensors"})"), "c is not in"));
  EXPECT_TRUE(
      one_line_with(refusal_with_index(R"({"a": "2.safetensors", "b": "1.safetensors"})"), "is not in"));
  EXPECT_TRUE(one_line_with(refusal_with_index(R"({"a": "../1.safetensors"})"), "not a file name"));
  EXPECT_TRUE(one_line_with(refusal_with_index(R"({"a": "/etc/passwd"})"), "not a file name"));
  EXPECT_TRUE(one_line_with(refusal_with_index(R"({"a": ".."})"), "not a file name"));
  EXPECT_TRUE(one_line_with(refusal_with_index(R"({"a": 1})"), "weight_map"));
  EXPECT_TRUE(one_line_with(refusal_with_index("{}"), "lists no tensor"));
  write_safetensors(folder / "2.safetensors", first);
  EXPECT_TRUE(
      one_line_with(refusal_with_index(R"({"a": "1.safetensors", "b": "2.safetensors"})"), "another shard"));
}

TEST(safetensors, one_model_in_four_forms) {
  const auto models = shared_data() / "models";
  WALSH_NEEDS(models);
  const Safetensors single = Safetensors::open(models / "stories260K");
  const Safetensors sharded = Safetensors::open(models / "stories260K-sharded");
  const Safetensors f16 = Safetensors::open(models / "stories260K-f16");
  const Safetensors bf16 = Safetensors::open(models / "stories260K-bf16");
  ASSERT_EQ(single.names(), sharded.names());
  ASSERT_EQ(single.names(), f16.names());
  ASSERT_EQ(single.names(), bf16.names());
  for (const std::string& name : single.names()) {
    const auto exact = to_floats(single.at(name));
    EXPECT_EQ(to_floats(sharded.at(name)), exact);
    const auto half = to_floats(f16.at(name));
    const auto brain = to_floats(bf16.at(name));
    ASSERT_EQ(half.size(), exact.size());
    for (std::size_t i = 0; i < exact.size(); ++i) {
      ASSERT_EQ(half[i], f16_to_float(float_to_f16(exact[i]))) << name << " " << i;
      ASSERT_EQ(brain[i], bf16_to_float(float_to_bf16(exact[i]))) << name << " " << i;
    }
  }
}

}  // namespace walsh::test
