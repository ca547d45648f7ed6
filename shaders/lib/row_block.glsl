// A block of 16 rows of F and the union of their columns (src/tensor/sparse_matrix.h): the product's rows are the
// block's, its columns the union's. The including kernel declares the buffers row_ptr, columns_of, block_ptr, union_of and
// dvalues and the push constants args, and defines what is declared below.

uint column_of(uint l) { return columns_of[l / 2] >> (16 * (l & 1)) & 0xffffu; }

uint block_first() { return block_ptr[gl_WorkGroupID.y]; }
uint block_columns() { return block_ptr[gl_WorkGroupID.y + 1] - block_first(); }

// The column of F that a column of the product stands for.
uint gathered(uint column) {
  const uint u = block_first() + column;
  return union_of[u / 2] >> (16 * (u & 1)) & 0xffffu;
}

// Keeps the result where the row has that column.
void keep(uint row, uint column, float value) {
  const uint wanted = gathered(column), end = row_ptr[row + 1];
  uint low = row_ptr[row], high = end;
  while (low < high) {
    const uint middle = (low + high) / 2;
    if (column_of(middle) < wanted) low = middle + 1;
    else high = middle;
  }
  if (low < end && column_of(low) == wanted) dvalues[low] += args.scale * value;
}
