/** A bound in the unit of its row. */
export type Target = { readonly atMost: number } | { readonly atLeast: number }

export interface Row {
  readonly id: string
  readonly what: string
  readonly unit: string
  readonly target: Target
}

/** Everything that is measured and what it must reach. Megabytes and kilobytes are decimal; ×10 stands for ten times as many. */
export const rows = [
  {
    id: 'encrypt-cell',
    what: 'encrypt one 60-bit cell at a member, all included but the scan of its records',
    unit: 'µs',
    target: { atMost: 0.3 },
  },
  {
    id: 'encrypt-tenfold',
    what: 'the same: processor time for 1,000,000 cells against 100,000',
    unit: '×',
    target: { atMost: 12 },
  },
  {
    id: 'add-cell',
    what: 'add one cell of one member at the coordinator, parsing included',
    unit: 'ns',
    target: { atMost: 15 },
  },
  { id: 'add-cells-tenfold', what: 'the same: processor time, cells ×10', unit: '×', target: { atMost: 12 } },
  { id: 'add-members-tenfold', what: 'the same: processor time, members ×10', unit: '×', target: { atMost: 12 } },
  {
    id: 'wire-cell',
    what: 'bytes a cell on the wire, whole body, 1,000,000 cells, 5 custodians',
    unit: 'B',
    target: { atMost: 10.5 },
  },
  // Of few cells the sealed shares and the filling of the last chunk are the larger part: 10.5 bytes a cell of whole chunks,
  // and 18 kB for each of the five custodians.
  { id: 'wire-cell-100k', what: 'the same, 100,000 cells (25 chunks)', unit: 'B', target: { atMost: 11.7 } },
  { id: 'wire-cell-10k', what: 'the same, 10,000 cells (3 chunks)', unit: 'B', target: { atMost: 21.9 } },
  { id: 'custodian-bytes', what: "a custodian's bytes for one member and round", unit: 'kB', target: { atMost: 18 } },
  { id: 'custodian-tenfold', what: 'the same, cells ×10', unit: '×', target: { atMost: 1.01 } },
  {
    id: 'round',
    what: 'a round of 5 members and 10,000 cells, processes on loopback: from the question to the table',
    unit: 's',
    target: { atMost: 1.5 },
  },
  { id: 'round-command', what: 'the same, the whole of `inbond query run`', unit: 's', target: { atMost: 2 } },
  {
    id: 'round-first',
    what: 'the same, from the question to the first contribution at the coordinator',
    unit: 's',
    target: { atMost: 0.5 },
  },
  {
    id: 'roster-cpu',
    what: '186 members × 100,000 cells: processor time of the coordinator from the question to the answer',
    unit: 's',
    target: { atMost: 60 },
  },
  { id: 'roster-memory', what: 'the same: its peak memory', unit: 'MB', target: { atMost: 512 } },
  {
    id: 'roster-tenfold',
    what: 'the same: processor time a member against 18 members, times ten',
    unit: '×',
    target: { atMost: 12 },
  },
  {
    id: 'roster-idle',
    what: 'the same: processor time a minute while 186 members wait for work',
    unit: 's',
    target: { atMost: 3 },
  },
  {
    id: 'import',
    what: 'import of declarations, 10 mapped columns, keyed, 1,000,000 rows',
    unit: 'rows/s',
    target: { atLeast: 100_000 },
  },
  {
    id: 'group-chapter',
    what: 'one group-by over 5,000,000 rows at a node: by chapter',
    unit: 's',
    target: { atMost: 3 },
  },
  { id: 'group-three', what: 'the same: by chapter, partner and month', unit: 's', target: { atMost: 3 } },
  {
    id: 'large-round',
    what: '2,000,000 slots with 5 members, processes on loopback: the whole of `inbond query run`',
    unit: 's',
    target: { atMost: 60 },
  },
  { id: 'large-coordinator', what: 'the same: peak memory of the coordinator', unit: 'MB', target: { atMost: 512 } },
  {
    id: 'large-member',
    what: 'the same: peak memory of the largest member',
    unit: 'MB',
    target: { atMost: 1000 },
  },
] as const satisfies readonly Row[]

export type RowId = (typeof rows)[number]['id']

export function isMet(target: Target, value: number): boolean {
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast
}
