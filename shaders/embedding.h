// Arguments of the embedding kernels. A table may be bound in parts of whole rows: this dispatch serves the
// tokens whose id lies in [first, first + rows).
struct EmbeddingArgs {
  uint tokens;
  uint width;
  uint vocabulary;
  uint first;
  uint rows;
};
