/**
 * Import this before the addon loads: blocks of memory are then filled with NaN before use and fenced on both sides
 * (IGCNET_DEBUG_MEMORY), so that a kernel that leaves elements out, reads what it must not, or writes beyond its
 * tensor is found. Used by kernel-compare.ts. Set to 0 outside, it stays: compute-sanitizer looks for itself.
 */
process.env.IGCNET_DEBUG_MEMORY ??= '1'
