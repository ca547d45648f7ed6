// Arguments of the adamw kernels. 1 − β comes from the host: in fp32, 1 − 0.999 is off by 5e-5.
struct AdamwArgs {
  uint elements;
  float beta1;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float epsilon;
  float weight_decay;
  float rate_scale;
  uint key;  // of the random rounding of adamw_moments8
};
