import { Page } from '../layout/layout.tsx'
import { Method, Operation, type OperationView } from './operation.tsx'
import { Prose, Schema, type SchemaView } from './schema.tsx'

export interface OpenApiPageProps {
  version: string
  description: string
  groups: readonly GroupView[]
  schemas: readonly SchemaView[]
  problems: readonly { code: string; status: number; meaning: string }[]
}

export interface GroupView {
  name: string
  description: string
  operations: readonly OperationView[]
}

/** The reference of the API, made from the document at `/openapi/json`. */
export function OpenApiPage({ version, description, groups, schemas, problems }: OpenApiPageProps) {
  return (
    <Page title="API" section="/openapi" scripts={['views/openapi/client/openapi.ts']} wide>
      <link rel="stylesheet" href="/assets/views/openapi/openapi.css" />
      <div class="heading">
        <div class="title">
          <h1>API</h1>
          <p class="muted">Weir {version}</p>
        </div>
        <a class="button" href="/openapi/json">
          OpenAPI document
        </a>
      </div>
      <p class="intro">
        <Prose text={description} />
      </p>
      <div class="reference">
        <Index groups={groups} />
        <div class="groups">
          {groups.map((group) => (
            <Group {...group} />
          ))}
          <section class="panel" id="schemas">
            <h2>Schemas</h2>
            {schemas.map((schema) => (
              <Schema {...schema} />
            ))}
          </section>
          <section class="panel" id="errors">
            <h2>Errors</h2>
            <p class="muted">Every code that a problem can have.</p>
            <dl class="fields">
              {problems.map(({ code, status, meaning }) => (
                <div>
                  <dt>
                    <code>{code}</code>
                  </dt>
                  <dd>
                    <strong class="status">{status}</strong> {meaning}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        </div>
      </div>
    </Page>
  )
}

function Index({ groups }: Pick<OpenApiPageProps, 'groups'>) {
  return (
    <nav class="index" aria-label="Operations">
      <label class="needs-script">
        Find an operation
        <input type="search" id="find-operation" placeholder="savings, POST channels …" />
      </label>
      <p class="muted" id="found-operations" role="status" />
      <ul>
        {groups.map(({ name, operations }) => (
          <li data-group={name}>
            <a class="group" href={`#${name}`}>
              {name}
            </a>
            <ul>
              {operations.map(({ id, method, path, summary }) => (
                <li data-operation={id}>
                  <a href={`#${id}`} title={`${method} ${path}`}>
                    <Method method={method} /> {summary}
                  </a>
                </li>
              ))}
            </ul>
          </li>
        ))}
        <li>
          <a class="group" href="#schemas">
            Schemas
          </a>
        </li>
        <li>
          <a class="group" href="#errors">
            Errors
          </a>
        </li>
      </ul>
    </nav>
  )
}

function Group({ name, description, operations }: GroupView) {
  return (
    <section class="panel group" id={name} data-group={name}>
      <h2>{name}</h2>
      <p class="muted">{description}</p>
      {operations.map((operation) => (
        <Operation {...operation} />
      ))}
    </section>
  )
}
