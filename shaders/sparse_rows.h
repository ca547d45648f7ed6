// Arguments of the kernels between a sparse matrix F and a dense tile of its rows.
struct SparseRowsArgs {
  uint first;    // row of F that the tile begins with
  uint rows;     // of the tile
  uint columns;  // of both
  float scale;
};
