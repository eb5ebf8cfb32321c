/**
 * The words of docs/models.md: the figure of each family, and where it deviates from papers and published code. The numbers
 * are counted by models-page.ts. Checked in test/unit/models-page.test.ts: every network is in one family.
 */
import type { NetworkName } from '../src/models/index.ts'

/** Networks that share a figure. */
export interface Family {
  title: string
  networks: readonly NetworkName[]
  /** The figure in words, line by line. */
  figure: readonly string[]
  deviations: readonly string[]
}

const CIFAR_FRAMES = 'Batch norm has an epsilon of 2e-5; its running variance starts at 1 (MXNet: 0).'

/** In the order of the page. */
export const FAMILIES: readonly Family[] = [
  {
    title: 'IGCV1, plain',
    networks: ['plain', 'plain_igc'],
    figure: [
      'image [32, 32, 3]',
      'stem      conv 3x3, 3 -> c, BN, ReLU               regular in both',
      'stage 1   B layers, width c',
      'stage 2   B layers, width 2c, the first with stride 2',
      'stage 3   B layers, width 4c, the first with stride 2',
      'head      mean over the 8x8 map, linear with bias',
      '',
      'plain layer      conv 3x3, BN, ReLU',
      'plain_igc layer  conv 3x3 in L groups, Reorder(L), conv 1x1 in M groups, Reorder(M), BN, ReLU',
    ],
    deviations: [
      "c = L M, as in the authors' command line; L is the same in all stages, M doubles with the width.",
      CIFAR_FRAMES,
    ],
  },
  {
    title: 'IGCV1, residual',
    networks: ['resnet', 'resnet_igc'],
    figure: [
      'image [32, 32, 3]',
      'stem      conv 3x3, 3 -> c, BN, ReLU',
      'stage 1   n units, width c',
      'stage 2   n units, width 2c, the first with stride 2',
      'stage 3   n units, width 4c, the first with stride 2',
      'head      mean over the 8x8 map, linear with bias',
      '',
      'unit      relu(layer(layer(x)) + shortcut(x)), the second layer without ReLU',
      'shortcut  x; where the width changes conv 1x1 with stride 2, BN (in L groups in resnet_igc)',
    ],
    deviations: [
      "Of other depths than 6n + 2 the units are shared out as the authors' script does.",
      "The authors' quirk is the default: where the width changes, the first layer has kin/L secondary groups for kout " +
        'channels, and its second Reorder does not undo the first. `consistent` has kout/L, as `plain_igc`.',
    ],
  },
  {
    title: 'SumFusion and Xception: special cases of IGC',
    networks: ['sumfusion', 'resnet_sumfusion', 'xception', 'resnet_xception'],
    figure: [
      'the frames of plain and resnet',
      '',
      'sumfusion layer  conv 3x3 in L groups, sum over the L partitions, BN, ReLU',
      '                 = IGC whose secondary weights are all 1 and not trained',
      'xception layer   conv 3x3 in as many groups as channels, conv 1x1, BN, ReLU',
      '                 = IGC with M = 1',
    ],
    deviations: [
      "The frames are those of the paper's comparison; no published code of these networks.",
      'xception: where the width changes from C to 2C, the channel-wise convolution makes two channels of each.',
    ],
  },
  {
    title: 'IGCV1 for ImageNet, 18 layers',
    networks: [
      'resnet_imgnet_d18',
      'resnet_imgnet_d18_w64',
      'resnet_imgnet_d18_w69',
      'resnet_igc_imgnet_d18',
      'resnet_igc_imgnet_d18_l4m32',
      'resnet_igc_imgnet_d18_l16m16',
      'resnet_igc_imgnet_d18_l100m2',
    ],
    figure: [
      'image [224, 224, 3]',
      'stem      conv 7x7 stride 2, BN, ReLU, max pool 3x3 stride 2',
      'stages    4 of 2 units at 56, 28, 14 and 7 pixels; the width doubles from stage to stage',
      'head      mean over the 7x7 map, linear with bias',
      '',
      'M doubles (L4M32, L16M16)  stem and stage 1 have L M channels',
      'L doubles (L100M2)         stage 1 has twice the channels of the stem, and a projection',
    ],
    deviations: [
      "The authors' script makes the kind in which L doubles only, and its secondary partition counts half: IGC-L100M2 is " +
        '`--primary-partition 100 --secondary-partition 1`; with its default of 4 it makes another, larger network.',
      'The frame `cifar`, for 32x32 images, is not of the paper: a stem of conv 3x3 without stride and pool.',
    ],
  },
  {
    title: 'IGCV2',
    networks: ['igcv2', 'resnet_igcv2', 'igcv2_mobilenet', 'igcv2_mobilenet_0.5', 'igcv2_mobilenet_0.25'],
    figure: [
      'the frames of plain, resnet and MobileNetV1',
      '',
      'layer     channel-wise conv 3x3, then ceil(log_K C) conv 1x1 with K channels a group, Reorder(C/K) between them, BN, ReLU',
      'mobilenet channel-wise conv 3x3, BN, ReLU, the 1x1 convolutions as above, BN, ReLU',
    ],
    deviations: [
      'The paper does not say which widths its CIFAR networks have, nor what its ImageNet networks change besides the pointwise ' +
        'convolutions; its multiply-adds are larger than those counted here.',
      'The projections of the residual frame are channel-wise; the paper does not say.',
    ],
  },
  {
    title: 'IGCV3',
    networks: ['igcv3_d'],
    figure: [
      'image [224, 224, 3]',
      'stem      conv 3x3 stride 2, 3 -> 32, BN, ReLU6',
      'stages    (expansion, channels, blocks, stride) (1, 16, 1, 1) (6, 24, 4, 2) (6, 32, 6, 2) (6, 64, 8, 2)',
      '          (6, 96, 6, 1) (6, 160, 6, 2) (6, 320, 1, 1)',
      'head      conv 1x1 to 1280, BN, ReLU6, mean over the map, linear with bias',
      '',
      'block     conv 1x1 in 2 groups to `expansion` times the channels, BN; Reorder(2); channel-wise conv 3x3, BN, ReLU6;',
      '          conv 1x1 in 2 groups, BN; + x where stride and width stay',
    ],
    deviations: [
      "The published graph has one permutation a block, the paper's figure two: `permutations`.",
      'With a multiplier other than 1 the script computes odd expansions; here it is 6 times the in-channels.',
      'The frame `cifar`, for 32x32 images: no stride in the stem and in stage 2.',
      "Batch norm has an epsilon of 1e-5, the script's.",
    ],
  },
]
