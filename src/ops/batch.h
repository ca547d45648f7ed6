// What a replayed recording reads and leaves: a recording may be submitted again while its last run is
// pending, so the host cannot write its inputs in place. It fills a ring ahead, and the stream itself
// advances a counter that picks the slot; results go back through a ring in the same way.
#pragma once

#include "ops/op.h"

namespace walsh {

/// values = ring[counter mod slots], as bits. values: 4-byte elements, `words` of them; ring: u32 [slots,
/// words], host-visible; counter: u32 [1] on the device.
void ring_read(Recorder& rec, const Tensor& values, const Tensor& ring, const Tensor& counter);

/// ring[counter mod slots] = values, as bits: losses and norms that the host reads later. ring: f32 or u32
/// [slots, words]; values: f32, `words` of them.
void ring_write(Recorder& rec, const Tensor& ring, const Tensor& counter, const Tensor& values);

/// counter += 1: once a run of the recording, after its last ring_read and ring_write.
void ring_advance(Recorder& rec, const Tensor& counter);

/// total = Σ values, or total += Σ values if `accumulate`. total: f32 [1]; values: f32 [n].
void sum(Recorder& rec, const Tensor& total, const Tensor& values, bool accumulate);

}  // namespace walsh
