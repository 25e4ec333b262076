-- What the queries of the KPI library read, in SQL that PostgreSQL, MySQL and MariaDB all understand. These can be the tables of the CRM,
-- or views that give its tables these names. All times are UTC. A site is named as in RolloutSite.spec.siteID, or else as the RolloutSite.

-- One row for each customer record, merged and deleted ones left out.
CREATE TABLE customers (
  id             INTEGER PRIMARY KEY,
  site           VARCHAR(63),
  name           VARCHAR(200),
  email          VARCHAR(200),
  phone          VARCHAR(60),
  country        VARCHAR(60),
  created_at     TIMESTAMP(6) NULL,
  updated_at     TIMESTAMP(6) NULL, -- the last change by a person; NULL: never changed
  customer_since TIMESTAMP(6) NULL, -- NULL: not a customer yet
  lost_at        TIMESTAMP(6) NULL  -- NULL: not lost
);

-- One row for each person with a licence, now or before.
CREATE TABLE users (
  id             INTEGER PRIMARY KEY,
  site           VARCHAR(63),
  role           VARCHAR(20),       -- 'sales' for sales representatives
  licensed_from  TIMESTAMP(6) NULL,
  licensed_until TIMESTAMP(6) NULL  -- NULL: until further notice
);

-- One row for each thing that a person did in the CRM.
CREATE TABLE activities (
  id          INTEGER PRIMARY KEY,
  user_id     INTEGER,
  kind        VARCHAR(20),          -- 'change' for a record created or changed; others, such as 'login', show that the person was there
  happened_at TIMESTAMP(6) NULL
);

CREATE TABLE leads (
  id              INTEGER PRIMARY KEY,
  site            VARCHAR(63),
  created_at      TIMESTAMP(6) NULL,
  first_answer_at TIMESTAMP(6) NULL -- NULL: not answered yet
);

CREATE TABLE opportunities (
  id         INTEGER PRIMARY KEY,
  site       VARCHAR(63),
  status     VARCHAR(20),           -- 'open', 'won' or 'lost'
  amount     DECIMAL(18, 2),        -- in one currency
  created_at TIMESTAMP(6) NULL,
  closed_at  TIMESTAMP(6) NULL      -- NULL: open
);

CREATE TABLE cases (
  id          INTEGER PRIMARY KEY,
  site        VARCHAR(63),
  contacts    INTEGER,              -- how often the customer had to be spoken to
  opened_at   TIMESTAMP(6) NULL,
  resolved_at TIMESTAMP(6) NULL     -- NULL: not resolved yet
);

CREATE TABLE survey_answers (
  id          INTEGER PRIMARY KEY,
  site        VARCHAR(63),
  score       INTEGER,              -- 1 to 5; NULL: the customer answered other questions only
  answered_at TIMESTAMP(6) NULL
);
