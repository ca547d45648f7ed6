// Arguments of the loss_scale_update kernel.
struct LossScaleUpdateArgs {
  float max_norm;
  float growth_interval;
  float largest;
};
