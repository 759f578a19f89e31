CREATE TABLE accounts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, balance int NOT NULL);
CREATE TABLE withdrawals (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account int NOT NULL REFERENCES accounts,
    amount int NOT NULL,
    taken timestamptz NOT NULL DEFAULT now()
);
