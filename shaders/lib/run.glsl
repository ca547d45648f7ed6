// Runs of RUN consecutive values of a row: 8, read and written four at a time, or 1 where widths or groups are no
// multiples of 8. The kernel is built for both (variants: RUN=1,8) and declares its fp32 buffers as FLOATS(name).
#if RUN == 8
#define FLOATS(name) vec4 name[]
#define LOAD_RUN(to, name, first)                                                   \
  {                                                                                 \
    const vec4 low = name[(first) / 4], high = name[(first) / 4 + 1];               \
    to = float[8](low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);      \
  }
#define STORE_RUN(name, first, from)                                                \
  {                                                                                 \
    name[(first) / 4] = vec4(from[0], from[1], from[2], from[3]);                   \
    name[(first) / 4 + 1] = vec4(from[4], from[5], from[6], from[7]);               \
  }
#else
#define FLOATS(name) float name[]
#define LOAD_RUN(to, name, first) to[0] = name[first];
#define STORE_RUN(name, first, from) name[first] = from[0];
#endif
