import type { InbondError } from '#crypto/error.ts'
import type { CommonOptions, Terminal } from '#party/command.ts'
import { openLog } from '#party/log.ts'
import { loggable } from '#party/logged-error.ts'
import { isReadable } from '#party/loopback.ts'
import { Operator } from '#party/operator.ts'
import { claimDirectory } from '#party/running.ts'
import { Thread } from '#party/thread.ts'
import type { AggregationTask } from './aggregation.ts'
import { createCoordinator } from './app.ts'
import { CertificateFiles } from './certificate.ts'
import { checkEncryption } from './config.ts'
import { type CoordinatorEvent, levelOf } from './events.ts'
import { countEvents, measureState } from './metrics.ts'
import { withCoordinator } from './open.ts'
import { serve } from './serve.ts'

/** Serves members and researchers until the terminal says to stop. @throws InbondError `already-running`, `address-in-use`, `plain-http`, `bad-tls-certificate` */
export function start(path: string, options: CommonOptions, terminal: Terminal): Promise<void> {
  return withCoordinator(path, options, terminal, async (parts, settings) => {
    checkEncryption(settings)
    const { host, port, url, metrics, tls } = settings
    const certificate = tls && new CertificateFiles(tls, url, parts.clock)
    const release = claimDirectory(path)
    const log = openLog<CoordinatorEvent>({}, levelOf, options.verbose ? 'debug' : 'info', terminal.err)
    const thread = new Thread<AggregationTask, string>(new URL('./aggregation-worker.ts', import.meta.url))
    thread.begin()
    try {
      await using operator = new Operator(log, metrics, countEvents)
      const { tell } = operator
      const coordinator = createCoordinator({
        ...parts,
        aggregate: task => thread.run(task),
        tell,
        onError: (error, request) => {
          if ((error as InbondError).code === 'shutting-down') return
          tell({ msg: 'something went wrong', ...(request === undefined ? {} : { request }), ...loggable(error) })
        },
      })
      await operator.serve(registry => measureState(registry, coordinator.context), parts.db)
      if (settings.plainHttp && isReadable(url))
        tell({ msg: 'requests are not encrypted: whoever is on the way can read them', url })
      const ready = (actual: number) => tell({ msg: 'the coordinator is ready', host, port: actual, url })
      await serve(coordinator, { host, port }, terminal.signal, ready, certificate)
      tell({ msg: 'stopped' })
    } finally {
      await thread.close()
      release()
    }
  })
}
