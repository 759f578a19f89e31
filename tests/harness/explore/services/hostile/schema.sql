CREATE TABLE wallets (balance int NOT NULL);
INSERT INTO wallets VALUES (0);
CREATE TABLE copies (n int);
