import type { RoundId } from '#specs/messages.ts'
import { plan, type Question } from '#specs/query.ts'
import type { Difference, OwnCells, Thresholds } from './warehouse/examination.ts'
import type { AnsweredVersion } from './warehouse/versions.ts'
import { openWarehouse, type Warehouse } from './warehouse/warehouse.ts'

/** What is to be looked up in the node's own records before a question is answered. It takes as long as answering it. */
export interface ExaminationTask {
  readonly question: Question
  /** Milliseconds since 1970: the moment as of which the question is answered; left out, as of now. */
  readonly asOf?: number
  readonly ownCells?: Thresholds & { readonly dominance: number }
  readonly overlap?: Thresholds & { readonly earlier: readonly EarlierAnswer[] }
}

/** What this node contributed before: to what question, and from which versions of its data. */
export interface EarlierAnswer {
  readonly round: RoundId
  readonly question: Question
  readonly versions: readonly AnsweredVersion[]
}

export interface Examination {
  readonly ownCells: OwnCells | undefined
  /** Earlier answers with which this one would single out a few records or traders. */
  readonly overlaps: readonly (Difference & { readonly round: RoundId })[]
}

export type Examine = (task: ExaminationTask) => Promise<Examination>

export function examineFile(path: string, task: ExaminationTask): Examination {
  using warehouse = openWarehouse(path, { readonly: true })
  return warehouse.snapshot(() => examine(warehouse, task))
}

/** @throws InbondError `warehouse-outdated` */
export function examine(warehouse: Warehouse, { question, asOf, ownCells, overlap }: ExaminationTask): Examination {
  const { dataset, where, axes: by, measures } = plan(question)
  const asked = { dataset, where, by, measures }
  return {
    ownCells: ownCells && warehouse.ownCells(asked, ownCells, asOf),
    overlaps: (overlap?.earlier ?? []).flatMap(({ round, question, versions }) => {
      const earlier = plan(question)
      if (overlap === undefined || earlier.dataset !== dataset) return []
      const divergence = { where: earlier.where, by: earlier.axes, versions }
      const found = warehouse.difference(asked, divergence, overlap, asOf)
      return found === undefined ? [] : [{ round, ...found }]
    }),
  }
}
