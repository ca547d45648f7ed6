// The row of a coefficient in CSR order: the last whose pointer is not beyond it. `pointer`: a macro of a row.
#define ROW_OF_COEFFICIENT(pointer, rows)       \
  uint row_of(uint l) {                         \
    uint row = 0, after = rows;                 \
    while (after - row > 1) {                   \
      const uint middle = (row + after) / 2;    \
      if (pointer(middle) <= l) row = middle;   \
      else after = middle;                      \
    }                                           \
    return row;                                 \
  }
