CREATE TABLE wallets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    balance int NOT NULL,
    version int NOT NULL DEFAULT 1
);
CREATE TABLE movements (id bigint GENERATED ALWAYS AS IDENTITY, wallet bigint, amount int);
