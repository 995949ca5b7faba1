import type { Flow, Procedure } from './economies.ts'
import type { Transport } from './transport.ts'

/** A country code that no list has; every administration has its own. */
export const STRANGE = '?'

/** An amount in the unit of its measure (cents, grams), and what stands after its last decimal. */
export interface Amount {
  readonly units: number
  readonly beyond: string
}

/** One goods item as an administration knows it, before it is written in a layout. */
export interface Declaration {
  /** From 1; an amended declaration has the number of the one that it replaces. */
  readonly number: number
  readonly month: string
  readonly day: string
  readonly flow: Flow
  /** Six digits as a rule; four or none where somebody did not know better. */
  readonly hs6: string
  /** Alpha-2, `STRANGE`, or empty. */
  readonly origin: string
  readonly consignment: string
  readonly destination: string
  readonly procedure: Procedure
  readonly transport: Transport | ''
  readonly trader: number
  /** Cents. */
  readonly value: Amount
  /** Grams. */
  readonly netMass: Amount | undefined
  readonly quantity: { readonly amount: number; readonly unit: string } | undefined
  /** Cents. */
  readonly duty: number
  readonly taxes: number
  /** Why no importer can take it. */
  readonly broken?: 'date' | 'negative' | 'unreadable'
}
