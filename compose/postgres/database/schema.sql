-- Made once, when the master makes its cluster: three applications that all tried at their start would race.
-- Statements end with an empty line: that is how single-user mode tells them apart.
CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL DEFAULT '', instance text NOT NULL DEFAULT '', created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL);

-- text_pattern_ops: prefix search (LIKE 'abc%') by index whatever the collation.
INSERT INTO users (first_name, last_name) SELECT f, l || CASE WHEN n = 0 THEN '' ELSE '-' || n END FROM unnest(ARRAY['Анна','Александр','Борис','Вера','Дмитрий','Елена','Иван','Мария','Ольга','Пётр','Сергей','Юлия','Alice','Boris','Carol','David']) f, unnest(ARRAY['Абрамов','Антонов','Белов','Волков','Громов','Иванов','Кузнецов','Лебедев','Морозов','Петров','Смирнов','Соколов','Adams','Baker','Clark','Davis']) l, generate_series(0, 19) n;

CREATE INDEX users_names ON users (first_name text_pattern_ops, last_name text_pattern_ops);

INSERT INTO items (body, instance) SELECT 'seed ' || n, 'seed' FROM generate_series(1, 1000) n;

GRANT SELECT, INSERT, UPDATE, DELETE ON items, users TO app;

ANALYZE;

