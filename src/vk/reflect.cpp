#include "vk/reflect.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"

namespace walsh::vk {
namespace {

// The few opcodes, decorations and storage classes that matter here, with the specification's numbers.
enum Op : std::uint32_t {
  op_execution_mode = 16,
  op_type_int = 21,
  op_type_float = 22,
  op_type_image = 25,
  op_type_array = 28,
  op_type_struct = 30,
  op_type_pointer = 32,
  op_constant = 43,
  op_spec_constant_true = 48,
  op_spec_constant_false = 49,
  op_spec_constant = 50,
  op_spec_constant_composite = 51,
  op_variable = 59,
  op_decorate = 71,
  op_member_decorate = 72,
  op_execution_mode_id = 331
};
enum Decoration : std::uint32_t {
  spec_id = 1,
  array_stride = 6,
  built_in = 11,
  non_writable = 24,
  non_readable = 25,
  binding = 33,
  offset = 35
};
constexpr std::uint32_t built_in_num_workgroups = 24, built_in_workgroup_size = 25, mode_local_size = 17,
                        mode_local_size_id = 38;
constexpr std::uint32_t storage_uniform_constant = 0, storage_push_constant = 9, storage_buffer = 12;
constexpr std::uint32_t dimension_buffer = 5, image_sampled = 1;

struct Parsed {
  std::map<std::uint32_t, std::map<std::uint32_t, std::uint32_t>> decorations;  // id -> decoration -> value
  std::map<std::uint32_t, std::map<std::uint32_t, std::map<std::uint32_t, std::uint32_t>>> member_decorations;
  std::map<std::uint32_t, std::vector<std::uint32_t>> structs;  // id -> member types
  std::map<std::uint32_t, std::uint32_t> pointers;              // id -> pointee
  struct Array {
    std::uint32_t element, length;  // a type and a constant
  };
  std::map<std::uint32_t, Array> arrays;
  std::map<std::uint32_t, std::uint32_t> scalars;  // id -> bytes
  std::set<std::uint32_t> floats;
  std::map<std::uint32_t, bool> texel_buffers;       // id -> whether of floats
  std::map<std::uint32_t, std::uint32_t> constants;  // id -> value
  std::map<std::uint32_t, std::vector<std::uint32_t>> composites;
  struct Variable {
    std::uint32_t id, type, storage;
  };
  std::vector<Variable> variables;
  std::optional<std::array<std::uint32_t, 3>> local_size, local_size_ids;
};

// The fewest words an instruction read here may have: what `parse` takes without asking.
std::uint32_t least_length(std::uint32_t op) {
  switch (op) {
    case op_execution_mode:
    case op_execution_mode_id:
    case op_decorate:
    case op_type_int:
    case op_type_float:
    case op_spec_constant_composite:
      return 3;
    case op_member_decorate:
    case op_type_array:
    case op_type_pointer:
    case op_constant:
    case op_spec_constant:
    case op_variable:
      return 4;
    case op_type_struct:
      return 2;
    case op_type_image:
      return 9;
    default:
      return 1;
  }
}

Parsed parse(std::string_view name, std::span<const std::uint32_t> words) {
  require(words.size() > 5 && words[0] == 0x07230203u, "kernel {}: not a SPIR-V module", name);
  Parsed out;
  for (std::size_t at = 5; at < words.size();) {
    const std::uint32_t length = words[at] >> 16;
    const std::uint32_t op = words[at] & 0xffffu;
    require(length >= least_length(op) && at + length <= words.size(), "kernel {}: its SPIR-V is cut short",
            name);
    const auto operand = words.subspan(at + 1, length - 1);
    switch (op) {
      case op_decorate:
        out.decorations[operand[0]][operand[1]] = operand.size() > 2 ? operand[2] : 1;
        break;
      case op_member_decorate:
        out.member_decorations[operand[0]][operand[1]][operand[2]] = operand.size() > 3 ? operand[3] : 1;
        break;
      case op_type_int:
      case op_type_float:
        out.scalars[operand[0]] = operand[1] / 8;
        if (op == op_type_float) out.floats.insert(operand[0]);
        break;
      case op_type_image:
        if (operand[2] == dimension_buffer && operand[6] == image_sampled)
          out.texel_buffers[operand[0]] = out.floats.contains(operand[1]);
        break;
      case op_type_struct:
        out.structs[operand[0]].assign(operand.begin() + 1, operand.end());
        break;
      case op_type_array:
        out.arrays[operand[0]] = {operand[1], operand[2]};
        break;
      case op_type_pointer:
        out.pointers[operand[0]] = operand[2];
        break;
      case op_constant:
      case op_spec_constant:
        out.constants[operand[1]] = operand[2];
        break;
      case op_spec_constant_composite:
        out.composites[operand[1]].assign(operand.begin() + 2, operand.end());
        break;
      case op_variable:
        out.variables.push_back({operand[1], operand[0], operand[2]});
        break;
      case op_execution_mode:
        if (operand[1] == mode_local_size && operand.size() > 4)
          out.local_size = {{operand[2], operand[3], operand[4]}};
        break;
      case op_execution_mode_id:
        if (operand[1] == mode_local_size_id && operand.size() > 4)
          out.local_size_ids = {{operand[2], operand[3], operand[4]}};
        break;
      default:
        break;
    }
    at += length;
  }
  return out;
}

// Bytes of a push-constant type; the conventions allow structs of 4-byte scalars and arrays of them only.
std::uint32_t push_size(std::string_view name, Parsed& module, std::uint32_t type) {
  if (const auto scalar = module.scalars.find(type); scalar != module.scalars.end()) {
    require(scalar->second == 4, "kernel {}: a push constant of {} bytes, expected 4-byte scalars", name,
            scalar->second);
    return 4;
  }
  if (const auto array = module.arrays.find(type); array != module.arrays.end()) {
    const std::uint32_t stride = module.decorations[type][array_stride];
    require(push_size(name, module, array->second.element) == stride,
            "kernel {}: an array among the push constants has elements {} bytes apart, expected 4", name,
            stride);
    return module.constants[array->second.length] * stride;
  }
  const auto members = module.structs.find(type);
  require(members != module.structs.end(),
          "kernel {}: push constants must be 4-byte scalars or arrays of them, not vectors", name);
  std::uint32_t bytes = 0;
  for (std::uint32_t i = 0; i < members->second.size(); ++i) {
    const std::uint32_t begin = module.member_decorations[type][i][offset];
    bytes = std::max(bytes, begin + push_size(name, module, members->second[i]));
  }
  return bytes;
}

// Whether the variable, or every member of its block, carries the decoration.
bool decorated(Parsed& module, std::uint32_t variable, std::uint32_t block, Decoration decoration) {
  if (module.decorations[variable].contains(decoration)) return true;
  const std::size_t members = module.structs[block].size();
  for (std::uint32_t i = 0; i < members; ++i) {
    if (!module.member_decorations[block][i].contains(decoration)) return false;
  }
  return members > 0;
}

}  // namespace

ModuleInterface reflect(std::string_view name, std::span<const std::uint32_t> spirv) {
  Parsed module = parse(name, spirv);
  ModuleInterface result;
  std::map<std::uint32_t, Binding> bindings;
  for (const auto& variable : module.variables) {
    const std::uint32_t block = module.pointers[variable.type];
    if (variable.storage == storage_push_constant) result.push_bytes = push_size(name, module, block);
    if (const auto texels = module.texel_buffers.find(block);
        variable.storage == storage_uniform_constant && texels != module.texel_buffers.end()) {
      bindings[module.decorations[variable.id][binding]] = {
          .writes = false, .kind = texels->second ? BindingKind::float_texels : BindingKind::uint_texels};
    }
    if (variable.storage != storage_buffer) continue;
    bindings[module.decorations[variable.id][binding]] = {
        .reads = !decorated(module, variable.id, block, non_readable),
        .writes = !decorated(module, variable.id, block, non_writable)};
  }
  for (const auto& [index, access] : bindings) {
    require(index == result.bindings.size(), "kernel {}: binding {} is unused or missing", name,
            result.bindings.size());
    result.bindings.push_back(access);
  }
  require(result.push_bytes <= 128, "kernel {}: {} bytes of push constants, the guaranteed limit is 128",
          name, result.push_bytes);

  std::set<std::uint32_t> ids;
  for (const auto& [id, decorations] : module.decorations) {
    if (const auto it = decorations.find(spec_id); it != decorations.end()) ids.insert(it->second);
    const auto it = decorations.find(built_in);
    if (it != decorations.end() && it->second == built_in_num_workgroups) result.counts_groups = true;
  }
  result.constant_ids.assign(ids.begin(), ids.end());

  auto use_ids = [&](const auto& size_ids) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
      result.local_size[axis] = module.constants[size_ids[axis]];
      const auto& decorations = module.decorations[size_ids[axis]];
      if (const auto it = decorations.find(spec_id); it != decorations.end())
        result.local_size_id[axis] = it->second;
    }
  };
  if (module.local_size) result.local_size = *module.local_size;
  if (module.local_size_ids) use_ids(*module.local_size_ids);
  for (const auto& [id, members] : module.composites) {
    const auto& decorations = module.decorations[id];
    const auto it = decorations.find(built_in);
    if (it != decorations.end() && it->second == built_in_workgroup_size) use_ids(members);
  }
  return result;
}

}  // namespace walsh::vk
