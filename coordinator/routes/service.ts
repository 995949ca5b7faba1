import { sql } from 'drizzle-orm'
import { html } from 'hono/html'
import { messageKinds } from '#specs/messages.ts'
import { PROTOCOL } from '#specs/signed.ts'
import type { App, Service } from '../http.ts'

type Operation = {
  summary?: string
  description?: string
  security?: unknown[]
  requestBody?: unknown
  responses?: object
}

/** What operators and readers of the interface ask for: health, the OpenAPI document, and a page made from it. */
export function serviceRoutes(app: App, { context }: Service): void {
  app.get('/healthz', c => c.text('ok\n'))

  app.get('/readyz', c => {
    context.db.get(sql`select 1`)
    return c.text('ready\n')
  })

  app.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'A message of type inbond-token, signed with the identity key of the party for this method and path.',
  })

  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Inbond coordinator',
      version: String(PROTOCOL),
      description: 'Members and researchers reach the coordinator with outbound requests alone.',
      license: { name: 'Apache-2.0' },
    },
  })

  app.get('/reference', c => {
    const document = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: '', version: '' } })
    return c.html(referencePage(context.name, document.paths as Record<string, Record<string, Operation>>))
  })

  app.get('/', c => c.redirect('/reference'))
}

function referencePage(federation: string, paths: Record<string, Record<string, Operation>>) {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width" />
    <title>${federation}: interface of the coordinator</title>
    <style>
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b2733; }
      code { font: 14px ui-monospace, monospace; }
      section { border-top: 1px solid #d5dde5; padding: 0.6rem 0; }
      h3 { margin: 0; font-size: 1rem; }
      h3 b { display: inline-block; min-width: 4rem; color: #0a5c8a; }
      p { margin: 0.2rem 0; }
      td { vertical-align: top; padding: 0.2rem 1rem 0.2rem 0; }
      pre { background: #f4f7fa; padding: 0.6rem; overflow: auto; font-size: 13px; }
    </style>
  </head>
  <body>
    <h1>${federation}</h1>
    <p>
      This is an Inbond coordinator, protocol version ${PROTOCOL}. The machine-readable form of this page is
      <a href="/openapi.json">/openapi.json</a>. Errors are RFC 9457 problems with a <code>code</code> and a <code>remedy</code>.
    </p>
    <h2>Requests</h2>
    ${operations.map(({ path, method, operation }) => operationSection(path, method, operation))}
    <h2>Signed messages</h2>
    <p>Compact JWS with Ed25519; the id of a message is the SHA-256 of what is signed.</p>
    <table>
      ${messageKinds.map(
        kind => html`<tr>
          <td><code>${kind.typ}</code></td>
          <td>signed by: ${kind.signer}</td>
          <td>${kind.meaning}</td>
        </tr>`,
      )}
    </table>
  </body>
</html>`
}

function operationSection(path: string, method: string, operation: Operation) {
  const access = operation.security?.length ? 'with a token' : 'open to everybody'
  const details = JSON.stringify({ requestBody: operation.requestBody, responses: operation.responses }, null, 2)
  return html`<section>
    <h3><b>${method}</b> <code>${path}</code></h3>
    <p>${[operation.summary, operation.description].filter(Boolean).join('. ')} <small>(${access})</small></p>
    <details><summary>Bodies</summary><pre>${details}</pre></details>
  </section>`
}
