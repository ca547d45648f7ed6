# Writes OUTPUT: the SPIR-V of every file in MODULES as arrays of words, and the table that src/vk/modules.h declares.
set(arrays)
set(table)
set(index 0)
foreach(module ${MODULES})
  get_filename_component(file ${module} NAME)
  string(REGEX REPLACE "\\.spv$" "" name ${file})
  file(READ ${module} hex HEX)
  string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${hex}")
  string(APPEND arrays "const std::uint32_t module_${index}[] = {${words}};\n")
  string(APPEND table "    {\"${name}\", module_${index}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT} "#include \"vk/modules.h\"\n\nnamespace walsh::vk {\nnamespace {\n${arrays}"
     "const std::array<Module, ${index}> table = {{\n${table}}};\n}  // namespace\n"
     "std::span<const Module> modules() { return table; }\n}  // namespace walsh::vk\n")
