/** Migration 0009 on PostgreSQL: trigger functions with a search path of their own. Never edited once released. */

/**
 * A trigger runs in the session of the statement that fires it, also in one of `psql`. Where the search path of that has
 * a schema before pg_catalog, the functions and operators of a trigger could be others, and a change remain untold.
 *
 * The functions are those that the schema's triggers call: a table with partitions has more of them.
 */
export function up(schema: string): string {
  return `
    DO $$ DECLARE found regprocedure; BEGIN
      FOR found IN
        SELECT DISTINCT pg_proc.oid::regprocedure FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE relnamespace = '"${schema}"'::regnamespace AND pronamespace = relnamespace
          AND pg_has_role(proowner, 'USAGE')
      LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', found);
      END LOOP;
    END $$;`
}
