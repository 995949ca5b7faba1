import { and, count, gt, isNotNull, isNull } from 'drizzle-orm'
import { Counter, type Registry } from 'prom-client'
import { errorCounter, gauge, measureDisk } from '#party/metrics.ts'
import { charterInForce } from './charters.ts'
import type { Tell } from './events.ts'
import type { Node } from './node.ts'
import { latestPolicy, type PolicyKeeper, UnsignedPolicy } from './policy-in-force.ts'
import { pendingQuestions } from './queue.ts'
import { prekeys, shares } from './schema.ts'
import { openWarehouse } from './warehouse/warehouse.ts'

/** Counts what happens while the process runs, by step and error code. */
export function countEvents(registry: Registry): Tell {
  const work = new Counter({
    name: 'inbond_work_total',
    help: 'What the coordinator asked for, by step: done, or refused for good.',
    labelNames: ['step', 'outcome'],
    registers: [registry],
  })
  const countRefusal = errorCounter(registry, 'inbond_work_refusals_total', 'What was refused, by error code.')
  const countFailure = errorCounter(
    registry,
    'inbond_work_failures_total',
    'What failed and is tried again, by error code.',
  )
  return event => {
    switch (event.msg) {
      case 'done':
        work.inc({ step: event.step, outcome: 'done' })
        break
      case 'refused':
        work.inc({ step: event.step, outcome: 'refused' })
        countRefusal(event.code)
        break
      case 'failed; it will be tried again':
        countFailure(event.code)
        break
    }
  }
}

/** Measures what follows from the databases, whenever it is asked for. */
export function measureState(
  registry: Registry,
  node: Node,
  warehousePath: string,
  keeper: Pick<PolicyKeeper, 'trouble'>,
): void {
  const { db, clock, connection } = node
  const contact =
    'When the coordinator last did what it was asked for, in seconds since 1970; 0 if not since the start.'
  gauge(
    registry,
    'inbond_coordinator_last_contact_timestamp_seconds',
    contact,
    () => (connection.grantedAt ?? 0) / 1000,
  )
  gauge(
    registry,
    'inbond_charter_epoch',
    'Epoch of the charter in force; 0 if there is none.',
    () => charterInForce(node)?.payload.epoch ?? 0,
  )
  gauge(registry, 'inbond_questions_waiting', 'Questions that wait for a steward.', () => pendingQuestions(node).length)
  gauge(
    registry,
    'inbond_policy_version',
    'Version of the policy in force; 0 before the first.',
    () => latestPolicy(db)?.version ?? 0,
  )
  gauge(registry, 'inbond_policy_readable', '0 while the policy cannot be read, and the one before is in force.', () =>
    keeper.trouble === undefined || keeper.trouble instanceof UnsignedPolicy ? 1 : 0,
  )
  const unsigned = '1 while another policy waits for the signatures of stewards, and the one before is in force.'
  gauge(registry, 'inbond_policy_unsigned', unsigned, () => (keeper.trouble instanceof UnsignedPolicy ? 1 : 0))
  gauge(registry, 'inbond_prekeys', 'Private halves of prekeys that no round uses yet.', () => {
    const usable = and(isNotNull(prekeys.privateKey), isNull(prekeys.round), gt(prekeys.notAfter, clock.now()))
    return db.select({ left: count() }).from(prekeys).where(usable).get()?.left
  })
  gauge(
    registry,
    'inbond_stored_shares',
    'Sealed shares that this custodian holds until their round is opened.',
    () => db.select({ held: count() }).from(shares).get()?.held,
  )
  gauge(registry, 'inbond_warehouse_records', 'Records in the warehouse.', () => {
    using warehouse = openWarehouse(warehousePath, { readonly: true })
    return warehouse.records()
  })
  measureDisk(registry, node.outbox, { node: db.$client.name, warehouse: warehousePath })
}
