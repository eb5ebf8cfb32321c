/** Options of a training that takes a moment: 4 steps an epoch of a network of 4 channels. */
export const tiny = [
  ...['--depth', '5', '--primary-partition', '2', '--secondary-partition', '2'],
  ...['--train-examples', '64', '--test-examples', '20', '--batch-size', '16', '--num-epochs', '2', '--threads', '1'],
]
