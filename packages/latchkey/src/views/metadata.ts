/** What OPTIONS answers: DRF's `SimpleMetadata`. */
import type { Identity } from '../identity.js'
import { isAllowed } from '../permissions/permission.js'
import { fieldsMetadata } from './fields.js'
import type { CompletePolicy, View } from './view.js'

/** Name, description, formats; and the fields of POST and PUT where the caller may use them. */
export function viewMetadata(view: View, policy: CompletePolicy, identity: Identity, path: string): object {
  const { fields, name = 'View', description = '', permissions, renderers, parsers } = policy
  const actions: Record<string, unknown> = {}
  for (const method of ['PUT', 'POST']) {
    if (fields === undefined || !view.handlers.has(method)) continue
    if (permissions.every((permission) => isAllowed(permission, identity, { method, path }))) {
      actions[method] = fieldsMetadata(fields)
    }
  }
  return {
    name,
    description,
    renders: renderers.map(({ mediaType }) => mediaType),
    parses: parsers.map(({ mediaType }) => mediaType),
    ...(Object.keys(actions).length > 0 ? { actions } : {}),
  }
}
