/** All workloads. test/benchmarks/kernels.test.ts finds every op of the addon among them. */
import { convolutionWorkloads } from './convolutions.ts'
import { headWorkloads } from './heads.ts'
import { mapWorkloads } from './maps.ts'
import type { Workload } from './workload.ts'

/** igcBlock/forward/networks/l24m2-stage-0 */
export function idOf({ op, direction, shape }: Pick<Workload, 'op' | 'direction' | 'shape'>): string {
  return `${op}/${direction}/${shape}`
}

export const workloads: readonly (Workload & { id: string })[] = [
  ...convolutionWorkloads,
  ...mapWorkloads,
  ...headWorkloads,
].map(workload => ({ ...workload, id: idOf(workload) }))
