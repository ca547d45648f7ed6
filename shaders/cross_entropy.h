// Arguments of the cross_entropy kernel.
struct CrossEntropyArgs {
  uint rows;
  uint vocabulary;
};
