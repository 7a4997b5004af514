/** Migration 0009 on PostgreSQL: trigger functions with a search path of their own. Never edited once released. */

/** Those that a schema may have: the last three belong to a table with partitions. */
const FUNCTIONS = [
  ...['wake', 'tell_token', 'tell_tokens', 'tell_user', 'tell_jwt', 'tell_jwt_user', 'tell_all', 'tell_keys'],
  ...['tell_moved_tokens', 'forget_uses', 'forget_all_uses'],
]

/**
 * A trigger runs in the session of the statement that fires it, also in one of `psql`. Where the search path of that has
 * a schema before pg_catalog, the functions and operators of a trigger could be others, and a change remain untold.
 */
export function up(schema: string): string {
  return `
    DO $$ DECLARE name text; BEGIN
      FOREACH name IN ARRAY '{${FUNCTIONS.join(',')}}'::text[] LOOP
        IF to_regprocedure(format('%I.%I()', '${schema}', name)) IS NOT NULL THEN
          EXECUTE format('ALTER FUNCTION %I.%I() SET search_path = pg_catalog, pg_temp', '${schema}', name);
        END IF;
      END LOOP;
    END $$;`
}
